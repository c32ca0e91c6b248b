//! What people have put a halt to.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::halt::{Halt, HaltScope};
use zelo_core::{Actor, AuditEntry, AuditKind};

use super::audit;
use super::column::{Columns, ms};
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::Error;

const HALTS: &str = "SELECT scope, at, actor, reason FROM halts ORDER BY scope";

const PUT: &str = "INSERT INTO halts (scope, at, actor, reason) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (scope) DO NOTHING";

/// Halts something; whether it was not halted before.
pub(crate) struct PutHalt(pub Halt);

#[async_trait]
impl Write for PutHalt {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        let Halt { scope, at, actor, reason } = &self.0;
        desk.saw(*at);
        let query = sqlx::query(PUT).bind(scope.to_string()).bind(ms(*at)).bind(actor.as_str()).bind(reason);
        let put = query.execute(&mut *conn).await.map_err(Error::database("store a halt"))?.rows_affected() > 0;
        if put {
            // The reason is free text, which may name somebody, and the audit log is for good.
            let detail = json!({ "halted": scope.to_string() });
            audit::append(conn, desk, vec![AuditEntry::new(*at, AuditKind::Configured, actor.clone(), &detail)]).await?;
        }
        Ok(put)
    }
}

/// Lifts a halt; whether there was one.
pub(crate) struct LiftHalt {
    pub scope: HaltScope,
    pub actor: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for LiftHalt {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        desk.saw(self.now);
        let query = sqlx::query("DELETE FROM halts WHERE scope = ?1 RETURNING scope, at, actor, reason").bind(self.scope.to_string());
        let lifted = query.fetch_optional(&mut *conn).await.map_err(Error::database("lift a halt"))?;
        if let Some(row) = &lifted {
            let Halt { scope, at, actor, reason: _ } = halt(row)?;
            let detail = json!({ "resumed": scope.to_string(), "since": at, "by": actor.as_str() });
            audit::append(conn, desk, vec![AuditEntry::new(self.now, AuditKind::Configured, self.actor.clone(), &detail)]).await?;
        }
        Ok(lifted.is_some())
    }
}

/// All that is halted.
pub(crate) async fn halts(reader: Reader) -> Result<Vec<Halt>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(HALTS).fetch_all(&mut *conn).await.map_err(Error::database("read what is halted"))?;
    rows.iter().map(halt).collect()
}

fn halt(row: &SqliteRow) -> Result<Halt, Error> {
    let row = Columns::new(row, "halts", "at");
    Ok(Halt {
        scope: row.word("scope", |text| text.parse().ok())?,
        at: row.time("at")?,
        actor: Actor::stored(row.get("actor")?),
        reason: row.get("reason")?,
    })
}
