//! What can go wrong in a store.

use std::sync::Arc;

/// Why a store could not do what it was asked.
///
/// Cheap to clone: all who wait for one transaction are told the same.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Too much is waiting to be written. Nothing was stored; try again soon.
    #[error("the store has too much to write; try again in a second")]
    Busy,
    /// The writer has ended: the store was closed, or could not go on.
    #[error("the store is closed")]
    Closed,
    /// The database refused.
    #[error("the database refused to {doing}{}", advice(.source))]
    Database {
        doing: &'static str,
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A stored value is not what zelo wrote.
    #[error("column {column} of table {table}, row {row}, is damaged: {why}")]
    Inconsistent { table: &'static str, column: &'static str, row: String, why: String },
    /// Sealed data does not open.
    #[error("{what} does not open with this master key; is it the key this store was made with?")]
    Sealed { what: String },
    /// A person's data are on hold, so they cannot be erased.
    #[error("these data are on hold, so they cannot be erased; let them go first (`zelo subject release`)")]
    Held,
    /// Pages or indexes do not agree, or what is chained was changed.
    #[error(
        "{what} is damaged ({found}). Nothing was changed. If it is the store, stop zelo, keep the file, and restore the last backup: zelo \
         restore FILE --replace"
    )]
    Damaged { what: String, found: String },
    /// Next to no room is left for more.
    #[error("only {free} bytes are left on the disk of the store; make room")]
    NoRoom { free: u64 },
    /// The store cannot be opened as asked.
    #[error("{0}")]
    Open(String),
}

impl Error {
    /// Names what the database refused: for `map_err`.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source: Arc::new(source) }
    }

    /// Whether the disk, or another program, stands in the way for now: the same may go well later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Database { source, .. } if matches!(code(source), Some(5 | 6 | 8 | 10 | 13 | 14)))
    }

    /// Whether this may be the fault of one write among several, so that the others may do without it; a full or
    /// failing disk is not.
    pub(crate) fn is_of_one(&self) -> bool {
        match self {
            Self::Database { source, .. } => source.as_database_error().is_some_and(|error| {
                use sqlx::error::ErrorKind;
                matches!(
                    error.kind(),
                    ErrorKind::UniqueViolation | ErrorKind::CheckViolation | ErrorKind::ForeignKeyViolation | ErrorKind::NotNullViolation
                )
            }),
            Self::Inconsistent { .. } | Self::Sealed { .. } => true,
            Self::Held => true,
            Self::Busy | Self::Closed | Self::Open(_) | Self::Damaged { .. } | Self::NoRoom { .. } => false,
        }
    }
}

/// SQLite's primary result code.
fn code(source: &sqlx::Error) -> Option<u32> {
    source.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok()).map(|code| code & 0xff)
}

/// What to do about it, where SQLite's code says that it is not the fault of what was asked (<https://sqlite.org/rescode.html>).
fn advice(source: &sqlx::Error) -> &'static str {
    match code(source) {
        Some(5 | 6) => ": another program holds it; only zelo may have it open",
        Some(8 | 14) => ": the file, or its folder, cannot be written to",
        Some(10) => ": the disk fails, is full, or lets no file grow",
        Some(11 | 26) => {
            ": it is damaged. Nothing was changed. Stop zelo, keep the file, and restore the last backup: zelo restore FILE --replace"
        }
        Some(13) => ": the disk is full",
        _ => "",
    }
}
