//! Functions by what they make of rows.

/// The aggregates of the server, and of common extensions.
#[rustfmt::skip]
pub(super) const AGGREGATES: &[&str] = &[
    "any_value", "array_agg", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "corr", "count",
    "covar_pop", "covar_samp", "cume_dist", "every", "group_concat", "json_agg", "json_agg_strict", "json_arrayagg",
    "json_object_agg", "json_objectagg", "jsonb_agg", "jsonb_object_agg", "max", "min", "mode", "percentile_cont",
    "percentile_disc", "range_agg", "range_intersect_agg", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept",
    "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "st_collect", "st_extent", "st_union", "std",
    "stddev", "stddev_pop", "stddev_samp", "string_agg", "sum", "var_pop", "var_samp", "variance", "xmlagg",
];

/// Functions that return rows.
#[rustfmt::skip]
pub(super) const ROW_FUNCTIONS: &[&str] = &[
    "generate_series", "generate_subscripts", "json_array_elements", "json_array_elements_text", "json_each",
    "json_each_text", "json_object_keys", "json_populate_recordset", "json_to_recordset", "jsonb_array_elements",
    "jsonb_array_elements_text", "jsonb_each", "jsonb_each_text", "jsonb_object_keys", "jsonb_path_query",
    "jsonb_populate_recordset", "jsonb_to_recordset", "regexp_matches", "regexp_split_to_table", "string_to_table",
    "ts_stat", "unnest", "pg_ls_dir",
];

/// Ordinary functions that make one value of one row, in order. What is missing here only makes a verdict milder.
#[rustfmt::skip]
pub(super) const SCALARS: &[&str] = &[
    "abbrev", "abs", "acos", "acosd", "acosh", "add_months", "adddate", "addtime", "aes_decrypt", "aes_encrypt",
    "age", "area", "array", "array_append", "array_cat", "array_dims", "array_fill", "array_length", "array_lower",
    "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove", "array_replace",
    "array_reverse", "array_sample", "array_shuffle", "array_sort", "array_to_json", "array_to_string",
    "array_to_tsvector", "array_upper", "ascii", "asin", "asind", "asinh", "astext", "atan", "atan2", "atan2d",
    "atand", "atanh", "benchmark", "bin", "bin_to_uuid", "bit_count", "bit_length", "bool", "broadcast", "btrim",
    "cardinality", "casefold", "cast", "cbrt", "ceil", "ceiling", "center", "char_length", "character_length",
    "charset", "chr", "circle", "clock_timestamp", "coalesce", "coercibility", "col_description", "collation",
    "column_add", "column_check", "column_create", "column_delete", "column_exists", "column_get", "column_json",
    "column_list", "compress", "concat", "concat_ws", "connection_id", "conv", "convert", "convert_from",
    "convert_to", "convert_tz", "cos", "cosd", "cosh", "cot", "cotd", "crc32", "crc32c", "crypt", "curdate",
    "current_database", "current_query", "current_role", "current_schema", "current_schemas", "current_setting",
    "current_user", "currval", "curtime", "database", "date", "date_add", "date_bin", "date_diff", "date_format",
    "date_part", "date_sub", "date_trunc", "datediff", "datemultirange", "daterange", "day", "dayname",
    "dayofmonth", "dayofweek", "dayofyear", "decode", "degrees", "des_decrypt", "des_encrypt", "diagonal",
    "diameter", "digest", "div", "dmetaphone", "elt", "encode", "encrypt", "erf", "erfc", "exp", "export_set",
    "extract", "extractvalue", "factorial", "family", "field", "find_in_set", "float4", "float8", "floor", "format",
    "format_bytes", "format_pico_time", "format_type", "found_rows", "from_base64", "from_days", "from_unixtime",
    "gamma", "gcd", "gen_random_uuid", "gen_salt", "geometrycollection", "geomfromtext", "get_bit", "get_byte",
    "get_current_ts_config", "get_format", "get_lock", "greatest", "gtid_subset", "has_column_privilege",
    "has_database_privilege", "has_schema_privilege", "has_table_privilege", "hashtext", "hashtextextended",
    "height", "hex", "hmac", "host", "hostmask", "hour", "hstore_to_json", "if", "ifnull", "inet6_aton",
    "inet6_ntoa", "inet_aton", "inet_client_addr", "inet_client_port", "inet_merge", "inet_ntoa",
    "inet_same_family", "inet_server_addr", "inet_server_port", "initcap", "insert", "instr", "int2", "int4",
    "int4multirange", "int4range", "int8", "int8multirange", "int8range", "interval", "is_free_lock", "is_ipv4",
    "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_normalized", "is_used_lock", "is_uuid", "isclosed",
    "isempty", "isfinite", "isnull", "isopen", "json_array", "json_array_append", "json_array_insert",
    "json_array_intersect", "json_array_length", "json_build_array", "json_build_object", "json_compact",
    "json_contains", "json_contains_path", "json_depth", "json_detailed", "json_equals", "json_exists",
    "json_extract", "json_extract_path", "json_extract_path_text", "json_insert", "json_keys", "json_length",
    "json_loose", "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
    "json_object_filter_keys", "json_object_to_array", "json_overlaps", "json_populate_record", "json_pretty",
    "json_query", "json_quote", "json_remove", "json_replace", "json_scalar", "json_schema_valid", "json_search",
    "json_serialize", "json_set", "json_storage_free", "json_storage_size", "json_strip_nulls", "json_to_record",
    "json_type", "json_typeof", "json_unquote", "json_valid", "json_value", "jsonb_array_length",
    "jsonb_build_array", "jsonb_build_object", "jsonb_exists", "jsonb_extract_path", "jsonb_extract_path_text",
    "jsonb_insert", "jsonb_object", "jsonb_path_exists", "jsonb_path_exists_tz", "jsonb_path_match",
    "jsonb_path_match_tz", "jsonb_path_query_array", "jsonb_path_query_first", "jsonb_path_query_first_tz",
    "jsonb_populate_record", "jsonb_pretty", "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record",
    "jsonb_typeof", "justify_days", "justify_hours", "justify_interval", "last_day", "last_insert_id", "lastval",
    "lcase", "lcm", "least", "left", "length", "levenshtein", "lgamma", "line", "linestring", "ln", "load_file",
    "localtime", "localtimestamp", "locate", "log", "log10", "log2", "lower", "lower_inc", "lower_inf", "lpad",
    "lseg", "ltrim", "macaddr8_set7bit", "make_date", "make_interval", "make_set", "make_time", "make_timestamp",
    "make_timestamptz", "makedate", "maketime", "masklen", "master_pos_wait", "mbrcontains", "mbrintersects",
    "mbrwithin", "md5", "merge_action", "metaphone", "microsecond", "mid", "min_scale", "minute", "mod", "month",
    "monthname", "multilinestring", "multipoint", "multirange", "name_const", "natural_sort_key", "netmask",
    "nextval", "nlevel", "normalize", "now", "npoints", "nullif", "num_nonnulls", "num_nulls", "numeric",
    "nummultirange", "numnode", "numrange", "nvl", "nvl2", "obj_description", "oct", "octet_length", "old_password",
    "ord", "overlaps", "overlay", "parse_ident", "password", "path", "pclose", "period_add", "period_diff",
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared", "pg_backend_pid", "pg_client_encoding", "pg_collation_for", "pg_column_size",
    "pg_current_snapshot", "pg_current_wal_lsn", "pg_current_xact_id", "pg_database_size", "pg_encoding_to_char",
    "pg_function_is_visible", "pg_get_constraintdef", "pg_get_expr", "pg_get_function_arguments",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_serial_sequence", "pg_get_triggerdef", "pg_get_userbyid",
    "pg_get_viewdef", "pg_has_role", "pg_indexes_size", "pg_is_in_recovery", "pg_notify",
    "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_size", "pg_size_bytes", "pg_size_pretty",
    "pg_sleep", "pg_table_is_visible", "pg_table_size", "pg_total_relation_size", "pg_trigger_depth",
    "pg_try_advisory_lock", "pg_try_advisory_xact_lock", "pg_type_is_visible", "pg_typeof",
    "pg_xact_commit_timestamp", "phraseto_tsquery", "pi", "plainto_tsquery", "point", "polygon", "popen",
    "position", "pow", "power", "ps_current_thread_id", "quarter", "query_to_xml", "querytree", "quote_ident",
    "quote_literal", "quote_nullable", "radians", "radius", "rand", "random", "random_bytes", "random_normal",
    "range_merge", "regexp_count", "regexp_instr", "regexp_like", "regexp_match", "regexp_replace",
    "regexp_split_to_array", "regexp_substr", "release_all_locks", "release_lock", "repeat", "replace", "reverse",
    "right", "round", "row", "row_count", "row_to_json", "rownum", "rpad", "rtrim", "scale", "schema",
    "sec_to_time", "second", "session_user", "set_bit", "set_byte", "set_config", "set_masklen", "setval",
    "setweight", "sformat", "sha", "sha1", "sha2", "sha224", "sha256", "sha384", "sha512", "shobj_description",
    "show_trgm", "sign", "similarity", "sin", "sind", "sinh", "sleep", "slope", "soundex", "space", "split_part",
    "sqrt", "st_area", "st_asbinary", "st_asewkb", "st_asgeojson", "st_astext", "st_aswkb", "st_aswkt", "st_buffer",
    "st_centroid", "st_contains", "st_crosses", "st_difference", "st_dimension", "st_disjoint", "st_distance",
    "st_distance_sphere", "st_distancesphere", "st_dwithin", "st_endpoint", "st_envelope", "st_equals",
    "st_exteriorring", "st_geogfromtext", "st_geohash", "st_geometryfromtext", "st_geometrytype", "st_geomfromewkb",
    "st_geomfromgeojson", "st_geomfromtext", "st_geomfromwkb", "st_interiorringn", "st_intersection",
    "st_intersects", "st_isclosed", "st_isempty", "st_issimple", "st_isvalid", "st_latitude", "st_length",
    "st_linefromtext", "st_longitude", "st_makeenvelope", "st_makepoint", "st_makevalid", "st_numpoints",
    "st_overlaps", "st_perimeter", "st_point", "st_pointfromgeohash", "st_pointfromtext", "st_pointn",
    "st_polyfromtext", "st_setsrid", "st_simplify", "st_srid", "st_startpoint", "st_swapxy", "st_symdifference",
    "st_touches", "st_transform", "st_within", "st_x", "st_y", "starts_with", "statement_digest",
    "statement_digest_text", "statement_timestamp", "str_to_date", "strcmp", "strict_word_similarity",
    "string_to_array", "strip", "strpos", "subdate", "subltree", "subpath", "substr", "substring",
    "substring_index", "subtime", "sysdate", "tan", "tand", "tanh", "text", "time", "time_format", "time_to_sec",
    "timediff", "timeofday", "timestamp", "timestampadd", "timestampdiff", "timestamptz", "to_ascii", "to_base64",
    "to_bin", "to_char", "to_date", "to_days", "to_hex", "to_json", "to_jsonb", "to_number", "to_oct",
    "to_regclass", "to_regnamespace", "to_regproc", "to_regrole", "to_regtype", "to_seconds", "to_timestamp",
    "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trim", "trim_array", "trim_scale", "trunc",
    "truncate", "ts_delete", "ts_filter", "ts_headline", "ts_lexize", "ts_rank", "ts_rank_cd", "ts_rewrite",
    "tsmultirange", "tsquery_phrase", "tsrange", "tstzmultirange", "tstzrange", "txid_current",
    "txid_current_if_assigned", "txid_current_snapshot", "txid_status", "ucase", "unaccent", "uncompress",
    "uncompressed_length", "unhex", "unistr", "unix_timestamp", "updatexml", "upper", "upper_inc", "upper_inf",
    "user", "utc_date", "utc_time", "utc_timestamp", "uuid", "uuid_extract_timestamp", "uuid_extract_version",
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuid_nil", "uuid_short", "uuid_to_bin", "uuidv4",
    "uuidv7", "validate_password_strength", "value", "values", "version", "wait_for_executed_gtid_set",
    "websearch_to_tsquery", "week", "weekday", "weekofyear", "weight_string", "width", "width_bucket",
    "word_similarity", "xmlcomment", "xmltext", "xpath", "xpath_exists", "year", "yearweek",
];

/// Functions whose value is in their arguments alone, by name: nobody filters by what they make of a literal.
#[rustfmt::skip]
pub(super) const PURE: &[&str] = &[
    "abs", "ascii", "bit_length", "btrim", "cbrt", "ceil", "ceiling", "char_length", "character_length", "chr",
    "coalesce", "concat", "concat_ws", "cos", "crc32", "degrees", "exp", "field", "floor", "greatest", "hex", "if",
    "ifnull", "initcap", "instr", "isnull", "json_valid", "lcase", "least", "left", "length", "ln", "locate", "log",
    "lower", "lpad", "ltrim", "md5", "mid", "mod", "nullif", "octet_length", "position", "power", "radians",
    "regexp_replace", "repeat", "replace", "reverse", "right", "round", "row", "rpad", "rtrim", "sha1", "sha2",
    "sign", "sin", "soundex", "space", "split_part", "sqrt", "starts_with", "strcmp", "strpos", "substr",
    "substring", "substring_index", "tan", "to_hex", "translate", "trim", "trunc", "truncate", "ucase", "unhex",
    "upper",
];

/// Functions that have one value for all rows of a statement, whoever runs it.
#[rustfmt::skip]
pub(super) const STATEMENT: &[&str] = &[
    "curdate", "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "now", "pi",
    "statement_timestamp", "transaction_timestamp", "utc_timestamp",
];

#[cfg(test)]
mod tests {
    use super::SCALARS;

    #[test]
    fn scalars_are_in_order() {
        assert!(SCALARS.is_sorted());
    }
}
