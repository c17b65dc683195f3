//! What PostgreSQL's own parser reads, as a [`View`].

use std::collections::BTreeSet;

use floodwall::sql::facts::WriteKind;
use floodwall::sql::lexer::{Counts, Wrap};
use floodwall::sql::{Strings, Verb};
use serde_json::Value;

use super::view::{Cap, Mark, View, Where, Write, table};

/// The statements of a text; the parser's message where it has a syntax error.
pub fn read(text: &str, strings: Strings) -> Result<Vec<View>, String> {
    let options = match strings {
        Strings::Standard => pg_query::ParserOptions::DEFAULT,
        Strings::Escapes => pg_query::ParserOptions::DISABLE_STANDARD_CONFORMING_STRINGS,
    };
    let parsed = pg_query::parse(text, options).map_err(|error| error.to_string())?;
    let tree = serde_json::to_value(&parsed.protobuf).unwrap();
    Ok(tree["stmts"].as_array().unwrap().iter().map(|raw| view(raw, text)).collect())
}

fn view(raw: &Value, text: &str) -> View {
    let start = index(&raw["stmt_location"]);
    let length = index(&raw["stmt_len"]);
    let end = if length == 0 { text.len() } else { start + length };
    let (name, statement) = node(&raw["stmt"]).unwrap();
    let (wrap, inner_name, inner) = unwrapped(name, statement);
    let mut view = View {
        text: start..end,
        verb: verb(name, statement),
        inner: verb(inner_name, inner),
        wrap,
        limits: Vec::new(),
        limit: Cap::None,
        tables: BTreeSet::new(),
        writes: Vec::new(),
        counts: Counts::default(),
        marks: BTreeSet::new(),
    };
    if inner_name == "SelectStmt" {
        view.limit = cap(&inner["limit_count"]).unwrap_or(Cap::None);
    }
    Scope::default().statement(inner_name, inner, &mut view.tables);
    note(name, statement, &mut view);
    walk(statement, &mut |name, value| note(name, value, &mut view));
    if name == "SelectStmt"
        || wrap != Wrap::None
        || view.inner.writes()
        || matches!(name, "TruncateStmt" | "CreateTableAsStmt")
    {
        own_write(inner_name, inner, &mut view);
        walk(inner, &mut |name, value| write(name, value, &mut view));
    }
    if copies_in(name, statement) {
        view.marks.insert(Mark::CopyIn);
    }
    view.limits.sort();
    view
}

fn index(value: &Value) -> usize {
    usize::try_from(value.as_i64().unwrap()).unwrap()
}

/// Name and content of a node; `None` where there is none.
fn node(value: &Value) -> Option<(&str, &Value)> {
    value.get("node")?.as_object()?.iter().next().map(|(name, value)| (name.as_str(), value))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Calls `visit` with every node below, outermost first.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                // `(a, b) = (SELECT …)`: the tree has the query once for each column.
                if name == "MultiAssignRef" && value["colno"] != 1 {
                    continue;
                }
                if name.starts_with(|c: char| c.is_ascii_uppercase()) {
                    visit(name, value);
                }
                // Some fields are nodes of one kind, without its name.
                match name.as_str() {
                    "larg" | "rarg" if value.get("values_lists").is_some() => visit("SelectStmt", value),
                    "with_clause" if !value.is_null() => visit("WithClause", value),
                    _ => {}
                }
                walk(value, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// The statement that runs in the end, and what stands around it.
fn unwrapped<'a>(name: &'a str, statement: &'a Value) -> (Wrap, &'a str, &'a Value) {
    let wrap = match name {
        "ExplainStmt" if analyzes(statement) => Wrap::ExplainAnalyze,
        "ExplainStmt" => Wrap::Explain,
        "PrepareStmt" => Wrap::Prepare,
        "DeclareCursorStmt" => Wrap::Cursor,
        "CopyStmt" if !statement["query"].is_null() => Wrap::CopyOut,
        _ => return (Wrap::None, name, statement),
    };
    let (name, inner) = node(&statement["query"]).unwrap();
    (wrap, name, inner)
}

fn analyzes(explain: &Value) -> bool {
    let mut options = list(&explain["options"]).iter().filter_map(node).map(|(_, option)| option);
    let analyze = options.rfind(|option| option["defname"] == "analyze");
    analyze.is_some_and(|option| match node(&option["arg"]) {
        None => true,
        Some((_, value)) => {
            !matches!(text(&value["sval"]).to_lowercase().as_str(), "off" | "false") && value["ival"] != 0
        }
    })
}

fn copies_in(name: &str, statement: &Value) -> bool {
    let is = |field: &str| statement[field] == true;
    name == "CopyStmt" && is("is_from") && text(&statement["filename"]).is_empty() && !is("is_program")
}

fn verb(name: &str, statement: &Value) -> Verb {
    match name {
        "SelectStmt" => Verb::Select,
        "InsertStmt" => Verb::Insert,
        "UpdateStmt" => Verb::Update,
        "DeleteStmt" => Verb::Delete,
        "MergeStmt" => Verb::Merge,
        "CopyStmt" => Verb::Copy,
        "TransactionStmt" => match statement["kind"].as_i64().unwrap() {
            1 | 2 => Verb::Begin,
            3 | 9 => Verb::Commit,
            4 | 7 | 10 => Verb::Rollback,
            5 | 6 => Verb::Savepoint,
            8 => Verb::Prepare,
            other => panic!("transaction statement of kind {other}"),
        },
        "VariableSetStmt" | "VariableShowStmt" | "DiscardStmt" | "ConstraintsSetStmt" => Verb::Set,
        "PrepareStmt" => Verb::Prepare,
        "ExecuteStmt" => Verb::Execute,
        "DeallocateStmt" => Verb::Deallocate,
        "DeclareCursorStmt" => Verb::Declare,
        "FetchStmt" => Verb::Fetch,
        "ClosePortalStmt" => Verb::Close,
        "TruncateStmt" => Verb::Truncate,
        "LockStmt" => Verb::Lock,
        "VacuumStmt" | "CheckPointStmt" => Verb::Maintain,
        "CallStmt" | "DoStmt" => Verb::Call,
        "ExplainStmt" => Verb::Explain,
        "ListenStmt" | "NotifyStmt" | "UnlistenStmt" => Verb::Notify,
        "LoadStmt" => Verb::Other,
        _ => Verb::Schema,
    }
}

fn note(name: &str, value: &Value, view: &mut View) {
    let counts = &mut view.counts;
    let items = |value: &Value| u32::try_from(list(value).len()).unwrap();
    match name {
        "SelectStmt" => {
            counts.tuples = counts.tuples.max(items(&value["values_lists"]));
            if let Some(cap @ (Cap::Rows(_) | Cap::Parameter)) = cap(&value["limit_count"]) {
                view.limits.push(cap);
            }
            if !value["into_clause"].is_null() {
                view.marks.insert(Mark::Into);
            }
        }
        "AExpr" if value["kind"] == 7 => {
            counts.in_items = counts.in_items.max(items(&value["rexpr"]["node"]["List"]["items"]));
        }
        "AExpr" if value["kind"] == 2 || value["kind"] == 3 => {
            counts.array_elements = counts.array_elements.max(elements(&value["rexpr"]));
        }
        "FuncCall"
            if list(&value["funcname"]).last().is_some_and(|name| name["node"]["String"]["sval"] == "unnest") =>
        {
            let most = list(&value["args"]).iter().map(elements).max().unwrap_or(0);
            counts.array_elements = counts.array_elements.max(most);
        }
        "CaseExpr" => counts.case_arms = counts.case_arms.max(items(&value["args"])),
        "ParamRef" => {
            view.marks.insert(Mark::Parameters);
        }
        "WithClause" => {
            let writes = list(&value["ctes"]).iter().filter_map(node).filter_map(|(_, cte)| node(&cte["ctequery"]));
            if writes
                .into_iter()
                .any(|(name, _)| matches!(name, "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt"))
            {
                view.marks.insert(Mark::CteWrites);
            }
        }
        _ => {}
    }
}

/// Without its casts.
fn peeled(mut value: &Value) -> &Value {
    while let Some(("TypeCast", cast)) = node(value) {
        value = &cast["arg"];
    }
    value
}

/// Elements of an array that is written out, as a constructor or as a string.
fn elements(value: &Value) -> u32 {
    let count = match node(peeled(value)) {
        Some(("AArrayExpr", array)) => list(&array["elements"]).len().max(1),
        Some(("AConst", constant)) => match text(&constant["val"]["Sval"]["sval"]).trim_start() {
            array if array.starts_with('{') => {
                array.split('"').step_by(2).map(|plain| plain.matches(',').count()).sum::<usize>() + 1
            }
            _ => 0,
        },
        _ => 0,
    };
    u32::try_from(count).unwrap()
}

/// `None` where there is no limit or only an implied one.
fn cap(limit: &Value) -> Option<Cap> {
    Some(match node(peeled(limit))? {
        ("ParamRef", _) => Cap::Parameter,
        ("AConst", constant) if constant["isnull"] == true => Cap::None,
        ("AConst", constant) if constant["location"] == -1 => return None,
        ("AConst", constant) => number(&constant["val"]).map_or(Cap::Expression, Cap::Rows),
        ("AExpr", sign) if sign["kind"] == 1 && sign["lexpr"].is_null() && is_plus(sign) => return cap(&sign["rexpr"]),
        ("AExpr", sum) if sum["kind"] == 1 => added(sum),
        _ => Cap::Expression,
    })
}

fn is_plus(expression: &Value) -> bool {
    list(&expression["name"]).last().is_some_and(|name| name["node"]["String"]["sval"] == "+")
}

/// A sum of literals and parameters.
fn added(sum: &Value) -> Cap {
    let plus = is_plus(sum);
    match (cap(&sum["lexpr"]), cap(&sum["rexpr"])) {
        (Some(Cap::Rows(a)), Some(Cap::Rows(b))) if plus => Cap::Rows(a + b),
        (Some(Cap::Parameter), Some(Cap::Rows(_) | Cap::Parameter)) | (Some(Cap::Rows(_)), Some(Cap::Parameter))
            if plus =>
        {
            Cap::Parameter
        }
        _ => Cap::Expression,
    }
}

fn number(constant: &Value) -> Option<u64> {
    let digits = match constant.as_object()?.iter().next()? {
        (kind, value) if kind == "Ival" => value["ival"].to_string(),
        (kind, value) if kind == "Fval" => text(&value["fval"]).to_owned(),
        (kind, value) if kind == "Sval" => text(&value["sval"]).trim().to_owned(),
        _ => return None,
    };
    if let Some(hex) = digits.to_lowercase().strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    let value: f64 = digits.parse().ok()?;
    (value >= 0.0).then_some(value.round() as u64)
}

/// The write that the statement itself is.
fn own_write(name: &str, statement: &Value, view: &mut View) {
    if name == "TruncateStmt" {
        let first = list(&statement["relations"]).first().and_then(node).map(|(_, table)| table);
        let table = first.map(relation).unwrap_or_default();
        view.writes.push(Write { kind: WriteKind::Truncate, table, filter: Where::Absent });
    }
    write(name, statement, view);
}

fn write(name: &str, value: &Value, view: &mut View) {
    let table = || relation(&value["relation"]);
    let filter = if value["where_clause"].is_null() { Where::Absent } else { Where::Present };
    match name {
        "UpdateStmt" => view.writes.push(Write { kind: WriteKind::Update, table: table(), filter }),
        "DeleteStmt" => view.writes.push(Write { kind: WriteKind::Delete, table: table(), filter }),
        "MergeStmt" => {
            for (_, when) in list(&value["merge_when_clauses"]).iter().filter_map(node) {
                // Numbers of CmdType. What a MERGE joins by narrows what it writes.
                let kind = match when["command_type"].as_i64() {
                    Some(3) => WriteKind::Update,
                    Some(5) => WriteKind::Delete,
                    _ => continue,
                };
                view.writes.push(Write { kind, table: table(), filter: Where::Present });
            }
        }
        _ => {}
    }
}

fn relation(relation: &Value) -> String {
    table(text(&relation["schemaname"]), text(&relation["relname"]))
}

/// Names of WITH queries while tables are looked for.
#[derive(Debug, Default)]
struct Scope {
    ctes: Vec<String>,
}

impl Scope {
    fn statement(&mut self, name: &str, statement: &Value, found: &mut BTreeSet<String>) {
        match name {
            "SelectStmt" => self.query(statement, found),
            "InsertStmt" => {
                let known = self.ctes.len();
                self.with(&statement["with_clause"], found);
                if let Some((name, source)) = node(&statement["select_stmt"]) {
                    self.statement(name, source, found);
                }
                self.ctes.truncate(known);
            }
            "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
                let known = self.ctes.len();
                self.with(&statement["with_clause"], found);
                found.insert(relation(&statement["relation"]));
                let beside = ["from_clause", "using_clause"].into_iter().flat_map(|clause| list(&statement[clause]));
                beside.chain([&statement["source_relation"]]).for_each(|item| self.item(item, found));
                self.ctes.truncate(known);
            }
            _ => {}
        }
    }

    fn query(&mut self, query: &Value, found: &mut BTreeSet<String>) {
        let known = self.ctes.len();
        self.with(&query["with_clause"], found);
        for side in ["larg", "rarg"] {
            if !query[side].is_null() {
                self.query(&query[side], found);
            }
        }
        list(&query["from_clause"]).iter().for_each(|item| self.item(item, found));
        self.ctes.truncate(known);
    }

    fn with(&mut self, with: &Value, found: &mut BTreeSet<String>) {
        for (_, cte) in list(&with["ctes"]).iter().filter_map(node) {
            let name = text(&cte["ctename"]).to_owned();
            let recursive = with["recursive"] == true;
            if recursive {
                self.ctes.push(name.clone());
            }
            if let Some((kind, query)) = node(&cte["ctequery"]) {
                self.statement(kind, query, found);
            }
            if !recursive {
                self.ctes.push(name);
            }
        }
    }

    fn item(&mut self, item: &Value, found: &mut BTreeSet<String>) {
        match node(item) {
            Some(("RangeVar", table)) => {
                let (schema, name) = (text(&table["schemaname"]), text(&table["relname"]));
                if !schema.is_empty() || !self.ctes.iter().any(|cte| cte == name) {
                    found.insert(relation(table));
                }
            }
            Some(("JoinExpr", join)) => {
                self.item(&join["larg"], found);
                self.item(&join["rarg"], found);
            }
            Some(("RangeSubselect", derived)) => {
                if let Some((kind, query)) = node(&derived["subquery"]) {
                    self.statement(kind, query, found);
                }
            }
            Some(("RangeTableSample", sample)) => self.item(&sample["relation"], found),
            _ => {}
        }
    }
}
