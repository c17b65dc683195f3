//! Statements made by combining clauses: the same ones in every run.

/// The parts of one kind of statement, in order; one of each list is taken.
struct Recipe {
    parts: &'static [&'static [&'static str]],
    /// How many statements are taken from all combinations.
    count: usize,
}

impl Recipe {
    /// Steps through the combinations with a stride that shares no divisor with their number, so that each is met at
    /// most once and neighbours differ in every part.
    fn texts(&self) -> impl Iterator<Item = String> + '_ {
        let all: usize = self.parts.iter().map(|part| part.len()).product();
        let stride = (all / 2 + 1..).find(|&stride| gcd(stride, all) == 1).unwrap_or(1);
        (0..self.count.min(all)).map(move |index| self.text(index * stride % all))
    }

    fn text(&self, mut combination: usize) -> String {
        let mut words = Vec::new();
        for part in self.parts {
            words.push(part[combination % part.len()]);
            combination /= part.len();
        }
        words.retain(|word| !word.is_empty());
        words.join(" ")
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// All of them.
pub fn texts() -> Vec<String> {
    [&SELECT, &SET_OPERATION, &WITH, &INSERT, &UPDATE, &DELETE, &MERGE, &WRAPPED, &COPY]
        .iter()
        .flat_map(|recipe| recipe.texts())
        .collect()
}

const WHERE: &[&str] = &[
    "",
    "WHERE id = 5",
    "WHERE id = $1",
    "WHERE true",
    "WHERE a IN (1, 2, 3) AND b LIKE 'x%'",
    "WHERE id = ANY (ARRAY[1, 2, 3, 4])",
    "WHERE id = ANY ('{1,2,3}'::int[])",
    "WHERE a BETWEEN SYMMETRIC 5 AND 1",
    "WHERE (a, b) IN ((1, 2), (3, 4))",
    "WHERE doc @> '{\"k\": [1, 2]}' AND doc ? 'k'",
    "WHERE EXISTS (SELECT 1 FROM u WHERE u.id = a LIMIT 1)",
    "WHERE CASE WHEN a = 1 THEN b WHEN a = 2 THEN c END > 0",
    "WHERE arr[1] = 5 OR arr[1:2] = ARRAY[1, 2]",
    "WHERE name = U&'d\\0061t\\+000061' OR name = E'it\\'s'",
];

const TAIL: &[&str] = &[
    "",
    "LIMIT 10",
    "LIMIT $1 OFFSET $2",
    "LIMIT ALL",
    "LIMIT NULL OFFSET 3",
    "ORDER BY a DESC NULLS LAST LIMIT 5",
    "ORDER BY a USING > OFFSET 10 ROWS FETCH NEXT 20 ROWS ONLY",
    "FETCH FIRST ROW ONLY",
    "ORDER BY a FETCH FIRST 7 ROWS WITH TIES",
    "LIMIT 10 FOR UPDATE SKIP LOCKED",
    "FOR NO KEY UPDATE",
    "FOR KEY SHARE OF t NOWAIT",
    "LIMIT (20)",
    "LIMIT '30'::bigint",
    "OFFSET 5 LIMIT 6",
];

const SELECT: Recipe = Recipe {
    parts: &[
        &["SELECT"],
        &[
            "*",
            "a, b AS \"B\"",
            "count(*)",
            "DISTINCT a",
            "DISTINCT ON (a, b) *",
            "ALL t.*",
            "CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' WHEN 3 THEN 'z' ELSE NULL END",
            "max(a) FILTER (WHERE b > 0), (r).x, (f(a)).*",
            "row_number() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)",
            "doc -> 'k' ->> 'v', doc #>> '{a,b}', doc || '{}'",
            "ARRAY[[1, 2], [3, 4]], ARRAY(SELECT a FROM u)",
            "CAST(a AS numeric(10, 2)), a::varchar(20), interval '1' day, date '2020-01-01'",
            "(SELECT b FROM u LIMIT 1), a IS NOT DISTINCT FROM b, NOT a, - a, @ a",
        ],
        &["FROM"],
        &[
            "t",
            "s.t",
            "\"S\".\"Odd \"\"Name\"",
            "ONLY t",
            "ONLY (t) AS x",
            "t *",
            "t AS x (a, b)",
            "t JOIN u USING (id) AS j",
            "t LEFT JOIN s.u ON t.id = u.t_id",
            "t NATURAL FULL JOIN u CROSS JOIN v",
            "t, LATERAL (SELECT * FROM u WHERE u.id = t.id LIMIT 3) AS l",
            "(SELECT * FROM t LIMIT 10) AS q",
            "generate_series(1, 10) WITH ORDINALITY AS g (a, b)",
            "ROWS FROM (generate_series(1, 2), unnest(ARRAY[1, 2])) AS r (a, b)",
            "t TABLESAMPLE bernoulli (10) REPEATABLE (5)",
            "(VALUES (1, 'a'), (2, 'b')) AS v (a, b)",
            "(t JOIN u ON true) AS j, w",
            "json_to_recordset('[]') AS x (a int, b text)",
        ],
        WHERE,
        &[
            "",
            "GROUP BY a",
            "GROUP BY DISTINCT ROLLUP (a, b), CUBE (c) HAVING count(*) > 1",
            "WINDOW w AS (ORDER BY a)",
        ],
        TAIL,
    ],
    count: 700,
};

const SET_OPERATION: Recipe = Recipe {
    parts: &[
        &["SELECT a FROM t", "(SELECT a FROM t LIMIT 4)", "TABLE t", "VALUES (1), (2), (3)", "(TABLE s.t ORDER BY 1)"],
        &["UNION", "UNION ALL", "INTERSECT", "EXCEPT ALL", "UNION DISTINCT"],
        &["SELECT b FROM u WHERE b IN (4, 5)", "(SELECT b FROM u ORDER BY b LIMIT 8)", "VALUES (9)", "TABLE u"],
        &["", "UNION ALL SELECT c FROM v", "ORDER BY 1"],
        &["", "LIMIT 11", "OFFSET 1 FETCH FIRST 2 ROWS ONLY", "LIMIT $1"],
    ],
    count: 240,
};

const WITH: Recipe = Recipe {
    parts: &[
        &["WITH"],
        &[
            "w AS (SELECT * FROM t)",
            "w (a, b) AS MATERIALIZED (SELECT * FROM t LIMIT 9)",
            "w AS NOT MATERIALIZED (TABLE t), x AS (SELECT * FROM w)",
            "RECURSIVE w (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM w WHERE a < 9)",
            "RECURSIVE w AS (SELECT a FROM t UNION SELECT a FROM w) SEARCH BREADTH FIRST BY a SET ord",
            "RECURSIVE w AS (SELECT a FROM t UNION SELECT a FROM w) CYCLE a SET c TO 'Y' DEFAULT 'N' USING p",
            "w AS (DELETE FROM t WHERE id = 1 RETURNING *)",
            "w AS (DELETE FROM ONLY t RETURNING a)",
            "w AS (INSERT INTO t (a) VALUES (1), (2) RETURNING a)",
            "w AS (UPDATE s.t AS x SET arr[1] = 5, (b, c) = ROW (1, 2) RETURNING a)",
            "t AS (SELECT 1 AS a)",
        ],
        &[
            "SELECT * FROM w",
            "SELECT * FROM w JOIN t USING (a)",
            "SELECT * FROM s.w",
            "(SELECT a FROM w UNION ALL SELECT a FROM u)",
            "INSERT INTO u SELECT a FROM w",
            "UPDATE u SET a = 1 FROM w WHERE w.a = u.a",
            "DELETE FROM u USING w WHERE w.a = u.a",
            "TABLE w",
            "VALUES (1)",
        ],
    ],
    count: 99,
};

const INSERT: Recipe = Recipe {
    parts: &[
        &["INSERT INTO t", "INSERT INTO s.t AS x", "INSERT INTO t (a, b)"],
        &["", "OVERRIDING SYSTEM VALUE"],
        &[
            "VALUES (1, 'a')",
            "VALUES (1, 'a'), (2, NULL), (DEFAULT, $1)",
            "SELECT a, b FROM u",
            "SELECT a, b FROM u WHERE a IN (1, 2) LIMIT 100",
            "TABLE u",
            "(SELECT * FROM u ORDER BY a)",
        ],
        &[
            "",
            "ON CONFLICT DO NOTHING",
            "ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b",
            "ON CONFLICT (lower(a), b COLLATE \"C\" text_ops) WHERE b > 0 DO UPDATE SET b = 1 WHERE x.b IS NULL",
            "ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET (a, b) = (EXCLUDED.a, DEFAULT)",
        ],
        &["", "RETURNING *", "RETURNING id AS \"Id\", (SELECT max(a) FROM u)"],
    ],
    count: 150,
};

const UPDATE: Recipe = Recipe {
    parts: &[
        &["UPDATE t", "UPDATE ONLY t AS x", "UPDATE s.t", "UPDATE t * y", "UPDATE ONLY (t)"],
        &[
            "SET a = 1",
            "SET a = a + 1, b = DEFAULT",
            "SET (a, b) = (SELECT a, b FROM u LIMIT 1)",
            "SET arr[1] = 5, arr[2:3] = '{6,7}'",
            "SET a = CASE WHEN id = 1 THEN 2 WHEN id = 3 THEN 4 END, r.x = 5",
            "SET doc['k'] = '1', name = $$where$$",
        ],
        &[
            "",
            "FROM u",
            "FROM u JOIN v USING (id), LATERAL (SELECT 1 LIMIT 1) l",
            "FROM (VALUES (1, 2), (3, 4)) AS w (id, a)",
        ],
        WHERE,
        &["", "RETURNING *"],
    ],
    count: 150,
};

const DELETE: Recipe = Recipe {
    parts: &[
        &["DELETE FROM t", "DELETE FROM ONLY t AS x", "DELETE FROM s.\"T\"", "DELETE FROM t * y"],
        &["", "USING u", "USING u LEFT JOIN v ON u.id = v.id"],
        WHERE,
        &["", "RETURNING id, (SELECT count(*) FROM u WHERE u.a = 1)"],
    ],
    count: 100,
};

const MERGE: Recipe = Recipe {
    parts: &[
        &["MERGE INTO t", "MERGE INTO ONLY s.t AS x"],
        &[
            "USING u ON t.id = u.id",
            "USING (SELECT * FROM u LIMIT 5) AS q ON q.id = id",
            "USING (VALUES (1), (2)) v (id) ON true",
        ],
        &[
            "WHEN MATCHED THEN DELETE",
            "WHEN MATCHED AND b > 0 THEN UPDATE SET a = 1, (b, c) = (2, 3)",
            "WHEN MATCHED THEN DO NOTHING",
            "WHEN NOT MATCHED BY SOURCE THEN DELETE",
        ],
        &[
            "",
            "WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
            "WHEN NOT MATCHED BY TARGET AND c THEN INSERT (a) OVERRIDING USER VALUE VALUES (1)",
        ],
        &["", "RETURNING merge_action(), *"],
    ],
    count: 48,
};

const WRAPPED: Recipe = Recipe {
    parts: &[
        &[
            "EXPLAIN",
            "EXPLAIN ANALYZE",
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT json)",
            "EXPLAIN (ANALYZE off, VERBOSE)",
            "EXPLAIN (VERBOSE, ANALYZE 'true')",
            "EXPLAIN ANALYZE VERBOSE",
            "PREPARE p AS",
            "PREPARE p (int, text) AS",
            "DECLARE c CURSOR FOR",
            "DECLARE c NO SCROLL CURSOR WITH HOLD FOR",
        ],
        &[
            "SELECT * FROM t",
            "SELECT * FROM t WHERE a = 1 LIMIT 3",
            "WITH w AS (SELECT * FROM t) SELECT * FROM w",
            "VALUES (1), (2)",
            "TABLE t",
            "(SELECT 1)",
        ],
    ],
    count: 60,
};

const COPY: Recipe = Recipe {
    parts: &[
        &["COPY"],
        &["t", "s.t (a, \"B\")", "BINARY t"],
        &["FROM STDIN", "TO STDOUT", "FROM '/tmp/a b'", "TO PROGRAM 'gzip'"],
        &["", "WITH (FORMAT csv, HEADER, DELIMITER ';')", "CSV HEADER QUOTE '\"'"],
    ],
    count: 36,
};
