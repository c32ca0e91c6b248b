//! CSV files as Brazilian systems export them: a comma, a semicolon or a tab between columns, UTF-8 with or without a
//! mark at its beginning or Windows-1252, line breaks inside quotes.
//!
//! The form is that of RFC 4180, read leniently; what a line says is the business of [`line`](super::line).

use anyhow::{Context, Result, bail, ensure};
use csv::{ReaderBuilder, StringRecord};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::cli::meant::did_you_mean;

/// A file with a header line.
pub(super) struct Table {
    pub(super) text: String,
    /// `UTF-8` or the name of what was found instead.
    pub(super) encoding: &'static str,
    pub(super) delimiter: u8,
    /// The names of the columns.
    pub(super) header: Vec<String>,
}

/// One line below the header; with quoted line breaks it may be several of the file.
pub(super) struct Line {
    /// From 1, as editors count.
    pub(super) number: u64,
    /// The last line of the file that belongs to it.
    pub(super) last: u64,
    /// The byte where it ends.
    pub(super) at: u64,
    pub(super) cells: StringRecord,
}

/// Separators that are looked for.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

impl Table {
    /// Reads `bytes`. Without a `delimiter` it is the one by which the header has most of the `wanted` columns.
    pub(super) fn read(bytes: &[u8], delimiter: Option<u8>, wanted: &[&str]) -> Result<Self> {
        let (text, encoding) = decode(bytes);
        let header = |delimiter: u8| -> Result<Vec<String>> {
            let mut first = StringRecord::new();
            reader(&text, delimiter).read_record(&mut first)?;
            Ok(first.iter().map(|name| name.trim().to_owned()).collect())
        };
        let delimiter = match delimiter {
            Some(given) => given,
            None => {
                let mut best = (0, 0, DELIMITERS[0]);
                for delimiter in DELIMITERS {
                    let names = header(delimiter)?;
                    let found = wanted.iter().filter(|name| position(&names, name).is_some()).count();
                    if (found, names.len()) > (best.0, best.1) {
                        best = (found, names.len(), delimiter);
                    }
                }
                best.2
            }
        };
        let header = header(delimiter)?;
        ensure!(header.iter().any(|name| !name.is_empty()), "it has no header line with the names of the columns");
        Ok(Self { text, encoding, delimiter, header })
    }

    /// The place of the column called `name`.
    pub(super) fn column(&self, name: &str) -> Result<usize> {
        let Some(place) = position(&self.header, name) else {
            bail!("there is no column `{name}`{}", did_you_mean(name, self.header.iter().map(String::as_str)));
        };
        let twice = self.header.iter().enumerate().any(|(other, found)| other != place && *found == self.header[place]);
        ensure!(!twice, "there are several columns `{name}`; give each a name of its own");
        Ok(place)
    }

    /// What it is written in, for people.
    pub(super) fn said(&self) -> String {
        if self.encoding == UTF_8.name() { self.encoding.to_owned() } else { format!("{} (it is not UTF-8)", self.encoding) }
    }

    /// The lines below the header.
    pub(super) fn lines(&self) -> Result<Lines<'_>> {
        let mut lines = Lines { reader: reader(&self.text, self.delimiter), text: self.text.as_bytes(), number: 1, counted: 0 };
        lines.next_line()?;
        Ok(lines)
    }
}

/// The lines of a table, one after the other. Empty ones are passed over.
pub(super) struct Lines<'t> {
    reader: csv::Reader<&'t [u8]>,
    text: &'t [u8],
    /// The number of the line that the byte `counted` is in.
    number: u64,
    counted: usize,
}

impl Lines<'_> {
    /// The next line, if there is one.
    pub(super) fn next_line(&mut self) -> Result<Option<Line>> {
        let mut cells = StringRecord::new();
        if !self.reader.read_record(&mut cells).context("it cannot be read")? {
            return Ok(None);
        }
        let place =
            |position: Option<&csv::Position>| position.map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let breaks = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        // The reader begins a line with the empty ones before it, and ends it with its line break.
        let mut start = place(cells.position()).min(self.text.len());
        start += self.text[start..].iter().take_while(|byte| is_break(byte)).count();
        let end = place(Some(self.reader.position())).clamp(start, self.text.len());
        let body = &self.text[start..end];
        let body = &body[..body.iter().rposition(|byte| !is_break(byte)).map_or(0, |last| last + 1)];
        self.number += breaks(&self.text[self.counted..start]);
        self.counted = start;
        Ok(Some(Line { number: self.number, last: self.number + breaks(body), at: end as u64, cells }))
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    // Lines with another number of columns are told to a person, not an end to everything.
    ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

fn position(header: &[String], name: &str) -> Option<usize> {
    let exact = header.iter().position(|column| column == name);
    exact.or_else(|| header.iter().position(|column| column.to_lowercase() == name.to_lowercase()))
}

/// The text of `bytes`, and what it was written in. A mark at the beginning decides; else what is UTF-8 is UTF-8.
fn decode(bytes: &[u8]) -> (String, &'static str) {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    };
    let (text, encoding, _) = encoding.decode(bytes);
    (text.into_owned(), encoding.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], wanted: &[&str]) -> Table {
        Table::read(bytes, None, wanted).unwrap()
    }

    fn cells(table: &Table) -> Vec<(u64, u64, Vec<String>)> {
        let mut lines = table.lines().unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push((line.number, line.last, line.cells.iter().map(str::to_owned).collect()));
        }
        found
    }

    #[test]
    fn what_brazilian_systems_export() {
        let table = read("\u{feff}Código,Nome\r\n1,\"Silva, Ana\"\r\n".as_bytes(), &["Código", "Nome"]);
        assert_eq!((table.encoding, table.delimiter), ("UTF-8", b','));
        assert_eq!(table.header, ["Código", "Nome"], "without the mark");
        assert_eq!(cells(&table), [(2, 2, vec!["1".to_owned(), "Silva, Ana".to_owned()])]);

        let table = read(b"C\xf3digo;Nome\n1;Jo\xe3o \x96 filho\n", &["Código", "Nome"]);
        assert_eq!((table.encoding, table.delimiter), ("windows-1252", b';'));
        assert_eq!(cells(&table)[0].2, ["1", "João – filho"]);

        let table = read(b"id\tnome\n1\tA;B,C;D\n", &["id", "nome"]);
        assert_eq!(table.delimiter, b'\t');
        assert_eq!(Table::read(b"id|nome\n", Some(b'|'), &[]).unwrap().header, ["id", "nome"]);
    }

    #[test]
    fn the_separator_is_the_one_that_finds_the_columns() {
        let table = read(b"id;nome, sobrenome, apelido;x\n", &["id", "x"]);
        assert_eq!(table.delimiter, b';');
        assert_eq!(table.header.len(), 3);
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let table = read(b"id,note\n\n\n1,\"two\r\nlines\"\r\n\r\n2,x\n3,y", &["id"]);
        let numbers: Vec<(u64, u64)> = cells(&table).iter().map(|(number, last, _)| (*number, *last)).collect();
        assert_eq!(numbers, [(4, 5), (7, 7), (8, 8)]);
    }

    #[test]
    fn columns_are_found_or_suggested() {
        let table = read(b"Celular,Telefone,x,x\n", &["Celular"]);
        assert_eq!(table.column("celular").unwrap(), 0);
        assert!(table.column("Celula").unwrap_err().to_string().contains("did you mean `Celular`"));
        assert!(table.column("x").unwrap_err().to_string().contains("several"));
        assert!(Table::read(b"", None, &["id"]).is_err());
    }
}
