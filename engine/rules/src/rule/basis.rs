//! Legal bases: LGPD (Lei 13.709/2018), articles 7 and 11.

use crate::diagnostic::{Report, error};
use crate::reader::At;

/// What a basis lets one do, in Portuguese and in English.
type Words = (&'static str, &'static str);

/// Every basis, as files write it: article 7 for personal data, article 11 for sensitive data.
pub(crate) const BASES: [(&str, Words); 18] = [
    ("lgpd:7.I", ("consentimento", "consent")),
    ("lgpd:7.II", ("obrigação legal", "a legal obligation")),
    ("lgpd:7.III", ("políticas públicas", "public policies")),
    ("lgpd:7.IV", ("pesquisa", "research")),
    ("lgpd:7.V", ("contrato, ou o que o precede a pedido da pessoa", "a contract, or steps before one at the person's request")),
    ("lgpd:7.VI", ("exercício de direitos em processo", "legal proceedings")),
    ("lgpd:7.VII", ("proteção da vida", "protection of life")),
    ("lgpd:7.VIII", ("tutela da saúde", "health care")),
    ("lgpd:7.IX", ("interesse legítimo", "a legitimate interest")),
    ("lgpd:7.X", ("proteção do crédito", "protection of credit")),
    ("lgpd:11.I", ("consentimento específico", "specific consent")),
    ("lgpd:11.II.a", ("obrigação legal", "a legal obligation")),
    ("lgpd:11.II.b", ("políticas públicas", "public policies")),
    ("lgpd:11.II.c", ("pesquisa", "research")),
    ("lgpd:11.II.d", ("exercício de direitos, também em contrato", "exercise of rights, also under a contract")),
    ("lgpd:11.II.e", ("proteção da vida", "protection of life")),
    ("lgpd:11.II.f", ("tutela da saúde", "health care")),
    ("lgpd:11.II.g", ("prevenção à fraude", "prevention of fraud")),
];

/// Those that are the person's consent.
pub(crate) const CONSENTS: [&str; 2] = ["lgpd:7.I", "lgpd:11.I"];

/// Reports a basis that the law does not have.
pub(super) fn check(report: &Report<'_>, basis: &At<&str>) -> bool {
    let known = words(basis.value).is_some();
    if !known {
        let finding = error("bad-basis", basis.span.clone(), format!("`{}` is not a legal basis", basis.value));
        let help = "a basis is an article of the LGPD with its item and letter: `lgpd:7.I` to `lgpd:7.X`, `lgpd:11.I`, `lgpd:11.II.a` to `lgpd:11.II.g`";
        // What was left out nobody can guess.
        let is_part = BASES.iter().any(|(known, _)| known.starts_with(&format!("{}.", basis.value)));
        let finding = finding.help(help);
        report.push(if is_part { finding } else { finding.meant(basis.value, BASES.map(|(basis, _)| basis)) });
    }
    known
}

/// What a basis lets one do; nothing where there is no such basis.
pub(crate) fn words(basis: &str) -> Option<Words> {
    BASES.iter().find(|(known, _)| *known == basis).map(|(_, words)| *words)
}

/// Whether it is one for sensitive data.
pub(super) fn is_for_sensitive(basis: &str) -> bool {
    basis.starts_with("lgpd:11.")
}

/// Whether it is that the person agreed.
pub(super) fn is_consent(basis: &str) -> bool {
    CONSENTS.contains(&basis)
}
