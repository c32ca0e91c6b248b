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
    #[error("the database refused to {doing}")]
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
            Self::Busy | Self::Closed | Self::Open(_) | Self::NoRoom { .. } => false,
        }
    }
}
