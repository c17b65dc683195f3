//! The statements of the corpora in other words: what means the same gets the same verdict.

use floodwall::guard::Verdict;
use floodwall::sql::{Flags, Schema};

use crate::guard::{MYSQL_PASSES, MYSQL_REFUSED, PASSES, REFUSED, assert_none, guard, judged_as, lines, schema_in};

/// A corpus: the rule that refuses each of its statements, none where they pass.
struct Side {
    flags: Flags,
    schema: Schema,
    statements: Vec<(&'static str, &'static str)>,
}

fn sides() -> Vec<Side> {
    let refused = |corpus| lines(corpus).filter_map(|line: &str| line.split_once(' '));
    let passing = |corpus| lines(corpus).map(|sql| ("", sql));
    let side = |flags, home: &str, statements: Vec<_>| Side { flags, schema: schema_in(home), statements };
    vec![
        side(Flags::POSTGRES, "public", refused(REFUSED).chain(passing(PASSES)).collect()),
        side(Flags::MARIADB, "shop", refused(MYSQL_REFUSED).chain(passing(MYSQL_PASSES)).collect()),
    ]
}

fn is_mysql(flags: Flags) -> bool {
    flags != Flags::POSTGRES
}

/// Judges every statement as `twin` writes it, where it can: `expected` is the rule that has to refuse it then.
fn hold(twin: impl Fn(Flags, &str, &str) -> Option<(String, String)>) {
    let guard = guard("");
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for side in sides() {
        for &(rule, sql) in &side.statements {
            let Some((expected, text)) = twin(side.flags, rule, sql) else { continue };
            judged += 1;
            let found = match judged_as(&guard, Some(&side.schema), side.flags, &text).verdict {
                Verdict::Refuse(breach) => breach.rule,
                Verdict::Allow => "",
            };
            if found != expected {
                wrong.push(format!("{:?} {expected:?}, got {found:?}: {text}", side.flags.dialect));
            }
        }
    }
    assert!(judged > 100, "{judged} twins are too few to mean something");
    assert_none(&wrong);
}

/// A statement without quotes and comments, whose spaces may be anything.
fn is_plain(sql: &str) -> bool {
    !["'", "\"", "`", "--", "/*", "#", "$", "\\"].iter().any(|mark| sql.contains(mark))
}

fn starts_with(sql: &str, words: &[&str]) -> bool {
    let sql = sql.to_ascii_lowercase();
    words.iter().any(|word| sql.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '*', '('])))
}

/// A query that may stand in parentheses, whose rows go to the client.
fn is_query(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let apart = [" into ", ";", "--", "#", "/*!", "/*m!", "procedure analyse", " returning", "delete ", "update "];
    starts_with(sql, &["select", "with", "table", "values"]) && !apart.iter().any(|part| lower.contains(part))
}

fn same(rule: &str, text: String) -> Option<(String, String)> {
    Some((rule.to_owned(), text))
}

#[test]
fn space_is_no_matter() {
    for space in ["\t\n", " /* LIMIT 1 */ ", "/**/", " -- WHERE id = 5\n"] {
        hold(|_, rule, sql| is_plain(sql).then(|| (rule.to_owned(), sql.replace(' ', space))));
    }
}

#[test]
fn case_is_no_matter() {
    hold(|_, rule, sql| is_plain(sql).then(|| (rule.to_owned(), sql.to_ascii_lowercase())));
    hold(|flags, rule, sql| (is_plain(sql) && !is_mysql(flags)).then(|| (rule.to_owned(), sql.to_ascii_uppercase())));
}

#[test]
fn parentheses_are_no_matter() {
    hold(|_, rule, sql| is_query(sql).then(|| (rule.to_owned(), format!("({sql})"))));
}

#[test]
fn a_query_of_all_that_another_gives_is_that_query() {
    hold(|_, rule, sql| is_query(sql).then(|| (rule.to_owned(), format!("SELECT * FROM ({sql}) AS q"))));
    hold(|_, rule, sql| is_query(sql).then(|| (rule.to_owned(), format!("WITH q AS ({sql}) SELECT q.* FROM q"))));
}

#[test]
fn what_is_only_counted_or_explained_is_no_result() {
    hold(|_, _, sql| is_query(sql).then(|| (String::new(), format!("SELECT count(*) FROM ({sql}) AS q"))));
    hold(|_, _, sql| is_query(sql).then(|| (String::new(), format!("SELECT 1 WHERE EXISTS ({sql})"))));
    hold(|_, _, sql| is_query(sql).then(|| (String::new(), format!("EXPLAIN {sql}"))));
}

#[test]
fn other_statements_beside_one_are_no_matter() {
    hold(|_, rule, sql| is_plain(sql).then(|| (rule.to_owned(), format!("SELECT 1; {sql}"))));
    hold(|_, rule, sql| is_plain(sql).then(|| (rule.to_owned(), format!("{sql}; SELECT 1"))));
}

#[test]
fn a_condition_that_is_true_beside_another_is_no_matter() {
    let conditioned = |sql: &str| sql.contains(" WHERE ") && !sql.contains("WHERE CURRENT OF");
    for condition in ["TRUE AND", "1 = 1 AND", "FALSE OR", "NOT 1 = 0 AND"] {
        hold(|_, rule, sql| {
            let by = format!(" WHERE {condition} ");
            (is_plain(sql) && conditioned(sql)).then(|| (rule.to_owned(), sql.replace(" WHERE ", &by)))
        });
    }
}

#[test]
fn an_offset_bounds_nothing() {
    hold(|flags, rule, sql| {
        let open = is_plain(sql) && starts_with(sql, &["select"]) && is_query(sql) && !is_mysql(flags);
        let ends = [" LIMIT", " OFFSET", " FETCH", " FOR "].iter().any(|end| sql.to_ascii_uppercase().contains(end));
        if open && !ends { same(rule, format!("{sql} OFFSET 3")) } else { None }
    });
}

#[test]
fn alternatives_that_are_never_true_are_no_matter() {
    let conditioned = |sql: &str| sql.contains(" WHERE ") && !sql.contains("WHERE CURRENT OF");
    hold(|_, rule, sql| {
        // In every condition of the text, whatever follows it.
        let by = " WHERE (1 = 0) OR ";
        (is_plain(sql) && conditioned(sql)).then(|| (rule.to_owned(), sql.replace(" WHERE ", by)))
    });
}

#[test]
fn an_alternative_that_is_true_leaves_every_row_in() {
    hold(|_, _, sql| {
        let write = starts_with(sql, &["update", "delete"]) && is_plain(sql) && !sql.contains(';');
        // What a join of MySQL's leaves out is no matter of the WHERE.
        let tail = [" RETURNING", " ORDER", " LIMIT", "WHERE CURRENT OF", "(", ",", "JOIN"];
        let ends = write && sql.matches(" WHERE ").count() == 1 && !tail.iter().any(|word| sql.contains(word));
        if ends { same("unfiltered_write", format!("{sql} OR TRUE")) } else { None }
    });
}

#[test]
fn a_prepared_statement_is_judged_as_the_statement() {
    hold(|flags, rule, sql| {
        let fits = starts_with(sql, &["select", "update", "delete"]) && is_plain(sql) && !sql.contains(';');
        (fits && !is_mysql(flags)).then(|| (rule.to_owned(), format!("PREPARE p AS {sql}")))
    });
    hold(|flags, rule, sql| {
        let fits = starts_with(sql, &["select", "update", "delete"]) && is_plain(sql) && !sql.contains(';');
        (fits && is_mysql(flags)).then(|| (rule.to_owned(), format!("PREPARE p FROM '{sql}'")))
    });
}

#[test]
fn a_write_is_a_write_wherever_it_stands() {
    hold(|flags, rule, sql| {
        let fits = starts_with(sql, &["update", "delete"]) && is_plain(sql) && !sql.contains(';');
        // `a.b` may be a variable of the block.
        if !fits || sql.contains('.') {
            return None;
        }
        let text =
            if is_mysql(flags) { format!("BEGIN NOT ATOMIC {sql}; END") } else { format!("DO $$ BEGIN {sql}; END $$") };
        same(rule, text)
    });
    hold(|flags, rule, sql| {
        let fits = starts_with(sql, &["update", "delete"]) && is_plain(sql) && !sql.contains(';') && !is_mysql(flags);
        fits.then(|| (rule.to_owned(), format!("WITH w AS ({sql}) SELECT 1")))
    });
    hold(|_, rule, sql| {
        let fits = starts_with(sql, &["update", "delete"]) && is_plain(sql) && !sql.contains(';');
        fits.then(|| (rule.to_owned(), format!("EXPLAIN ANALYZE {sql}")))
    });
}

#[test]
fn qualified_tables_are_the_same_tables() {
    hold(|flags, rule, sql| {
        let fits = is_plain(sql) && !sql.to_ascii_lowercase().contains("with ") && !sql.contains("big.");
        let name = if is_mysql(flags) { " shop.big" } else { " public.big" };
        let qualified: String = sql
            .split_inclusive(' ')
            .map(|word| if word.trim() == "big" { name.trim_start().to_owned() + &word[3..] } else { word.to_owned() })
            .collect();
        (fits
            && qualified != sql
            && [" FROM big", " UPDATE big"].iter().any(|from| sql.contains(from))
            && sql.matches("big").count() == 1)
            .then(|| (rule.to_owned(), qualified))
    });
}
