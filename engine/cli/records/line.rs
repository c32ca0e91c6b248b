//! What one line says of one record, or why it says nothing.

use std::collections::HashMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Row;
use super::table::Line;

/// Which column fills what.
pub(super) struct Mapping {
    /// The names of the columns.
    pub(super) columns: Vec<String>,
    /// The column of the id.
    pub(super) key: usize,
    /// Fields, whether they are lists, and their columns.
    pub(super) fields: Vec<(String, bool, usize)>,
}

/// The ids that came already, and in which line.
#[derive(Default)]
pub(super) struct Seen(HashMap<String, u64>);

/// A line that is not imported. It never carries what stands in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    line: u64,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    NoKey { column: String },
    Twice { column: String, first: u64 },
    Columns { found: usize, wanted: usize, last: u64 },
    Empty,
    Long { column: String },
    LongLine,
}

/// No value is longer, in bytes.
const VALUE_MAX: usize = 4 << 10;
/// No record is longer, in bytes as JSON: it must fit a request to the server.
const RECORD_MAX: usize = 256 << 10;

impl Mapping {
    /// The record that `line` describes. Values are texts, as they stand; empty ones are not there.
    pub(super) fn row(&self, line: &Line, seen: &mut Seen) -> Result<Row, Problem> {
        let problem = |what| Err(Problem { line: line.number, what });
        let wanted = self.columns.len();
        if line.cells.len() != wanted {
            return problem(What::Columns { found: line.cells.len(), wanted, last: line.last });
        }
        let cell = |column: usize| line.cells.get(column).unwrap_or_default().trim();
        let used = std::iter::once(self.key).chain(self.fields.iter().map(|(.., column)| *column));
        for column in used {
            if cell(column).len() > VALUE_MAX {
                return problem(What::Long { column: self.columns[column].clone() });
            }
        }
        let mut fields = Map::new();
        for (name, is_list, column) in &self.fields {
            let value = cell(*column);
            match (is_list, fields.get_mut(name)) {
                _ if value.is_empty() => {}
                (true, Some(Value::Array(list))) => {
                    if !list.iter().any(|known| known == value) {
                        list.push(json!(value));
                    }
                }
                (true, _) => _ = fields.insert(name.clone(), json!([value])),
                (false, _) => _ = fields.insert(name.clone(), json!(value)),
            }
        }
        if fields.is_empty() {
            return problem(What::Empty);
        }
        let (id, column) = (cell(self.key).to_owned(), || self.columns[self.key].clone());
        if id.is_empty() {
            return problem(What::NoKey { column: column() });
        }
        if let Some(first) = seen.0.get(&id) {
            return problem(What::Twice { column: column(), first: *first });
        }
        let row = Row { id, fields };
        if serde_json::to_vec(&row).is_ok_and(|json| json.len() > RECORD_MAX) {
            return problem(What::LongLine);
        }
        seen.0.insert(row.id.clone(), line.number);
        Ok(row)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey { column } => write!(f, "nothing stands in `{column}`, which is to name the record"),
            Self::Twice { column, first } => write!(f, "the same `{column}` as in line {first}"),
            Self::Columns { found, wanted, .. } => {
                write!(f, "{found} {} instead of {wanted}", if *found == 1 { "column" } else { "columns" })
            }
            Self::Empty => f.write_str("none of the mapped columns has a value"),
            Self::Long { column } => write!(f, "what stands in `{column}` is longer than {} KiB", VALUE_MAX >> 10),
            Self::LongLine => write!(f, "its record is longer than {} KiB", RECORD_MAX >> 10),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)?;
        match self.what {
            // What follows is swallowed by it.
            What::Columns { last, .. } if last > self.line => write!(f, "; it goes on to line {last}: is a quote never closed?"),
            _ => Ok(()),
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "line": self.line, "problem": self.what.to_string() }).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    /// The rows and problems of a table `id;name;a;b`, where `a` and `b` are phones.
    fn check(lines: &str) -> (Vec<Value>, Vec<String>) {
        let table = Table::read(format!("id;name;a;b\n{lines}").as_bytes(), None, &["id"]).unwrap();
        let fields = vec![("name".to_owned(), false, 1), ("phones".to_owned(), true, 2), ("phones".to_owned(), true, 3)];
        let mapping = Mapping { columns: table.header.clone(), key: 0, fields };
        let (mut rows, mut problems, mut seen) = (Vec::new(), Vec::new(), Seen::default());
        let mut lines = table.lines().unwrap();
        while let Some(line) = lines.next_line().unwrap() {
            match mapping.row(&line, &mut seen) {
                Ok(row) => rows.push(json!({ "id": row.id, "fields": row.fields })),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        (rows, problems)
    }

    #[test]
    fn values_are_texts_and_empty_ones_are_not_there() {
        let (rows, problems) = check("007; Ana ;11;\n8;;;22\n9;Bia;;\n10;Rui;3;3\n");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(rows[0], json!({ "id": "007", "fields": { "name": "Ana", "phones": ["11"] } }));
        assert_eq!(rows[1]["fields"], json!({ "phones": ["22"] }));
        assert_eq!(rows[2]["fields"], json!({ "name": "Bia" }));
        assert_eq!(rows[3]["fields"]["phones"], json!(["3"]), "once");
    }

    #[test]
    fn a_bad_line_says_what_and_not_whose() {
        let long = "x".repeat(VALUE_MAX + 1);
        let lines = format!(";Ana;11;\n1;Ana;11;\n1;Bia;22;\n2;Caio;33\n3;;;\n4;{long};;\n;;;\n5;\"Davi;44;\n6;Eva;55;\n");
        let (rows, problems) = check(&lines);
        assert_eq!(rows.len(), 1);
        let wanted = [
            "line 2: nothing stands in `id`, which is to name the record",
            "line 4: the same `id` as in line 3",
            "line 5: 3 columns instead of 4",
            "line 6: none of the mapped columns has a value",
            "line 7: what stands in `name` is longer than 4 KiB",
            "line 8: none of the mapped columns has a value",
            "line 9: 2 columns instead of 4; it goes on to line 10: is a quote never closed?",
        ];
        assert_eq!(problems, wanted);
    }
}
