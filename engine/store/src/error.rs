//! What can go wrong in a store.

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
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
        source: sqlx::Error,
    },
    /// A stored value is not what zelo wrote.
    #[error("column {column} of table {table}, row {row}, is damaged: {why}")]
    Inconsistent { table: &'static str, column: &'static str, row: String, why: String },
    /// Sealed data does not open.
    #[error("{what} does not open with this master key; is it the key this store was made with?")]
    Sealed { what: String },
    /// The store cannot be opened as asked.
    #[error("{0}")]
    Open(String),
}
