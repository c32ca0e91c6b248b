//! What a receipt says, before anybody thinks of paper.

use crate::money::Amount;
use crate::parties::Address;
use crate::words;

/// A receipt. Its texts are on one line each, and what must be there is not empty.
pub(crate) struct Receipt {
    pub(crate) number: u64,
    pub(crate) patient: String,
    pub(crate) cpf: Option<String>,
    pub(crate) clinic: String,
    pub(crate) cnpj: Option<String>,
    pub(crate) address: Address,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Amount,
    pub(crate) date: String,
}

/// A service that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) amount: Amount,
}

/// The word above everything.
pub(crate) const TITLE: &str = "RECIBO";
/// What stands above the columns.
pub(crate) const COLUMNS: [&str; 3] = ["Código", "Descrição", "Valor"];
/// What stands beside the sum.
pub(crate) const TOTAL: &str = "Total";

/// A piece of the sentence: what it says, and whether it stands out.
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) strong: bool,
}

impl Receipt {
    /// `Nº 000001`
    pub(crate) fn label(&self) -> String {
        format!("Nº {:06}", self.number)
    }

    /// `recibo-000001.pdf`
    pub(crate) fn file_name(&self) -> String {
        format!("recibo-{:06}.pdf", self.number)
    }

    /// Who was paid, below the name: CNPJ and address.
    pub(crate) fn clinic_details(&self) -> Vec<String> {
        self.cnpj.iter().map(|cnpj| format!("CNPJ {cnpj}")).chain(self.address.lines.iter().cloned()).collect()
    }

    /// Who paid how much, and what for.
    pub(crate) fn sentence(&self) -> [Piece; 5] {
        let plain = |text: String| Piece { text, strong: false };
        let strong = |text: String| Piece { text, strong: true };
        let cpf = self.cpf.as_ref().map(|cpf| format!(", CPF {cpf}")).unwrap_or_default();
        [
            plain("Recebemos de ".to_owned()),
            strong(self.patient.clone()),
            plain(format!("{cpf}, a importância de ")),
            strong(self.total.figures()),
            plain(format!(" ({}), referente aos serviços abaixo.", words::amount(self.total))),
        ]
    }

    /// Where and when.
    pub(crate) fn place_and_date(&self) -> String {
        match &self.address.city {
            Some(city) => format!("{city}, {}", self.date),
            None => self.date.clone(),
        }
    }

    /// The lines of the paper, as a person reads them.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![TITLE.to_owned(), self.label(), self.total.figures(), self.clinic.clone()];
        lines.extend(self.clinic_details());
        lines.push(self.sentence().into_iter().map(|piece| piece.text).collect());
        lines.push(COLUMNS.join(" · "));
        for Line { code, description, amount } in &self.lines {
            let amount = amount.figures();
            let parts = [code.as_str(), description.as_str(), amount.as_str()];
            lines.push(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "));
        }
        lines.push(format!("{TOTAL} · {}", self.total.figures()));
        lines.push(self.place_and_date());
        lines.push(self.clinic.clone());
        lines.join("\n")
    }
}
