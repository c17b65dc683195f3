//! SHOW STATEMENTS: the shapes that cost most.

use super::{Asked, Def};
use crate::config::Role;
use crate::console::answer::{Answer, Failure, Row, count, text};
use crate::telemetry::shapes::{By, ShapeRow};
use crate::units::display_bytes;

/// Shapes where nobody says how many.
const DEFAULT: usize = 20;
/// Shapes at the most.
const MAX: usize = 1000;

pub(super) const DEF: Def = Def {
    name: "SHOW STATEMENTS",
    syntax: "SHOW STATEMENTS [BY TIME | BY COUNT] [n]",
    summary: "statement shapes by total time (the default) or by count",
    role: Role::Read,
    columns: &[
        text("statement"),
        text("kind"),
        count("count"),
        count("total_us"),
        count("mean_us"),
        count("longest_us"),
        count("failed"),
        count("refused"),
    ],
    run,
};

fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (by, shapes) = read(&asked.args).ok_or_else(|| DEF.misused())?;
    Ok(Answer::rows(asked.sources.shapes.top(shapes, by).into_iter().map(row)))
}

fn read(args: &[&str]) -> Option<(By, usize)> {
    let (by, rest) = match args {
        [by, what, rest @ ..] if by.eq_ignore_ascii_case("by") && what.eq_ignore_ascii_case("time") => (By::Time, rest),
        [by, what, rest @ ..] if by.eq_ignore_ascii_case("by") && what.eq_ignore_ascii_case("count") => {
            (By::Count, rest)
        }
        rest => (By::Time, rest),
    };
    match rest {
        [] => Some((by, DEFAULT)),
        [shapes] => Some((by, shapes.parse::<usize>().ok()?.clamp(1, MAX))),
        _ => None,
    }
}

fn row(shape: ShapeRow) -> Row {
    vec![
        display_bytes(&shape.text).into(),
        shape.kind.label().into(),
        shape.count.into(),
        shape.total_us.into(),
        shape.total_us.checked_div(shape.count).into(),
        shape.longest_us.into(),
        shape.failed.into(),
        shape.refused.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read() {
        assert_eq!(read(&[]), Some((By::Time, DEFAULT)));
        assert_eq!(read(&["5"]), Some((By::Time, 5)));
        assert_eq!(read(&["by", "COUNT"]), Some((By::Count, DEFAULT)));
        assert_eq!(read(&["BY", "time", "0"]), Some((By::Time, 1)));
        assert_eq!(read(&["BY", "TIME", "99999999"]), Some((By::Time, MAX)));
        for wrong in [&["BY"][..], &["BY", "NAME"], &["5", "6"], &["-1"]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
