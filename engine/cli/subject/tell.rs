//! People in words: never by a value of theirs.

use std::path::Path;

use zelo_core::{AuditKind, IdentityKind};
use zelo_store::SubjectView;

use super::Whom;
use crate::cli::control::Erased;
use zelo_server::export::WhoSaw;

/// What somebody is asked for by.
pub(super) fn by(whom: &Whom) -> &'static str {
    match whom {
        Whom::Pseudonym { .. } => "pseudonym",
        Whom::Id { .. } => "id",
        Whom::Identity { kind, .. } => word(*kind),
    }
}

/// Whether all who are found are one person: a phone may be a family's, and two providers may call two people by the same id.
pub(super) fn is_one_person(whom: &Whom) -> bool {
    matches!(whom, Whom::Identity { kind: IdentityKind::Cpf, .. } | Whom::Pseudonym { .. })
}

fn word(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Cpf => "CPF",
        IdentityKind::Phone => "phone",
        IdentityKind::Email => "e-mail address",
    }
}

/// Somebody, and who shares something with them.
pub(super) fn person(view: &SubjectView) -> Vec<String> {
    let clinic = view.clinic.as_ref().map(|clinic| format!(", clinic {clinic}")).unwrap_or_default();
    let known = view.identities.iter().map(|kind| word(*kind)).chain(["id"]).collect::<Vec<_>>().join(", ");
    let erased = view.erased.map(|at| format!("; erased {at}")).unwrap_or_default();
    let known = if view.erased.is_none() { format!("; known by {known}") } else { String::new() };
    let mut lines = vec![format!("{}  connection {}{clinic}, since {}{known}{erased}", view.pseudonym, view.connection, view.since)];
    lines.extend(view.held.map(|since| format!("  on hold since {since}")));
    lines.extend(view.linked.iter().map(|link| {
        let perhaps = match link.by {
            IdentityKind::Cpf => "the same person",
            IdentityKind::Phone | IdentityKind::Email => "perhaps a family",
        };
        format!("  {}  same {}: {perhaps}", link.pseudonym, word(link.by))
    }));
    lines
}

/// That nobody of `found` is left.
pub(super) fn erased(found: &[SubjectView]) -> String {
    let told = found.iter().filter_map(|view| Some(format!("{} was erased {}", view.pseudonym, view.erased?)));
    told.collect::<Vec<_>>().join("; ")
}

/// Who saw what of somebody, as two tables.
pub(super) fn seen(view: &SubjectView, seen: &WhoSaw) -> Vec<String> {
    let mut lines = vec![view.pseudonym.to_string(), "  shown to plugins".to_owned()];
    let disclosures = seen.disclosures.iter().map(|shown| {
        let fields = shown.what.fields.iter().map(|(name, class)| format!("{name} ({class})")).collect::<Vec<_>>().join(", ");
        let purpose = match (&shown.what.purpose, &shown.what.basis) {
            (Some(purpose), Some(basis)) => format!("{purpose} ({basis})"),
            (one, other) => one.clone().or(other.clone()).unwrap_or_else(|| "-".to_owned()),
        };
        let went = if shown.went.is_empty() { "-".to_owned() } else { shown.went.iter().cloned().collect::<Vec<_>>().join(", ") };
        [shown.at.to_string(), format!("{} ({}.{})", shown.what.plugin, shown.what.rule, shown.what.action), fields, purpose, went]
    });
    lines.extend(table(["when", "plugin", "fields", "purpose", "went to"], disclosures.collect()));
    lines.push("  seen and done by people".to_owned());
    let views = seen.views.iter().map(|view| {
        let detail = |name: &str| view.detail.get(name).and_then(|value| value.as_str()).map(|text| format!("{name} {text}"));
        let more = match view.kind {
            AuditKind::Viewed | AuditKind::Exported => ["what", "by", "as"].into_iter().filter_map(detail).collect::<Vec<_>>().join(", "),
            _ => String::new(),
        };
        [view.at.to_string(), view.actor.clone(), view.kind.as_str().to_owned(), more]
    });
    lines.extend(table(["when", "who", "did", ""], views.collect()));
    lines
}

/// Rows under heads, in columns.
fn table<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> Vec<String> {
    if rows.is_empty() {
        return vec!["    nothing".to_owned()];
    }
    let rows: Vec<[String; N]> = std::iter::once(heads.map(str::to_owned)).chain(rows).collect();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(wide).collect();
    let line = |row: &[String; N]| row.iter().zip(&widths).map(|(text, width)| format!("  {text:width$}")).collect::<String>();
    rows.iter().map(|row| format!("  {}", line(row)).trim_end().to_owned()).collect()
}

/// What became of somebody's data, and what is left to do.
pub(super) fn proof(view: &SubjectView, erased: &Erased, register: &Path) -> Vec<String> {
    let Erased { proof, went } = erased;
    let mut lines = vec![format!("{} was erased {}", proof.pseudonym, proof.at)];
    let deleted = proof.deleted.iter().map(|(kind, rows)| format!("{kind} {rows}")).collect::<Vec<_>>().join(", ");
    lines.push(format!("  destroyed: {} keys{}{deleted}", proof.keys, if deleted.is_empty() { "" } else { "; rows deleted: " }));
    if proof.cancelled > 0 {
        lines.push(format!("  cancelled: {} pending jobs", proof.cancelled));
    }
    match proof.kept.as_slice() {
        [] => lines.push("  stays: nothing; the audit log names them by a pseudonym that leads nowhere".to_owned()),
        kept => lines.extend(kept.iter().map(|kept| format!("  stays: {} {}, because of {}", kept.rows, kept.kind, kept.duty))),
    }
    if let Some(head) = &proof.head {
        let hash = data_encoding::HEXLOWER.encode(&head.hash);
        lines.push(format!("  signed: the audit log up to entry {}, {hash}", head.seq));
    }
    lines.push("  left to do outside of zelo:".to_owned());
    lines.push(format!("    have them erased in the system behind connection {}: what it sends again is kept again", view.connection));
    if !went.is_empty() {
        lines.push(format!("    plugins had sent something of theirs: {}", went.iter().cloned().collect::<Vec<_>>().join(", ")));
    }
    lines.push("    erase what was copied by hand: exports, printed documents, forwarded messages".to_owned());
    lines.push(format!(
        "    nothing about backups: a restored one opens with them erased, as long as the register stays where it is: {}",
        register.display()
    ));
    lines
}
