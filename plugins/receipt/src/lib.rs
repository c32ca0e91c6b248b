//! A numbered receipt as PDF, of the services of an attendance and their prices.
//!
//! Everything is checked before the first effect: a number is taken only for a receipt that can be made. The receipt is
//! in Portuguese, as the clinic's customers and the tax office read it; what zelo's own people read follows the locale.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use zelo_plugin::{Context, Document, Failure, Outcome, events, state, warn};

mod font;
mod letters;
mod money;
mod paper;
mod parties;
mod receipt;
mod words;

use letters::one_line;
use money::{Amount, Problem};
use parties::shown;
use receipt::{Line, Receipt};

/// Services on one receipt.
const SERVICES_MAX: usize = 200;
/// Of a name or the date, characters: what leaves room on the page for the rest, even of the widest letters.
const NAME_MAX: usize = 200;
/// Of a service's code, characters.
const CODE_MAX: usize = 64;
/// Of a service's description, characters.
const DESCRIPTION_MAX: usize = 500;
/// Of an address, characters and lines.
const ADDRESS_MAX: usize = 400;
const ADDRESS_LINES_MAX: usize = 6;
/// Of all names and descriptions together, bytes: what fits a document's text, with the figures around them.
const TEXT_MAX: usize = 32 << 10;

/// What `plugin.toml` describes under `[inputs]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    patient: String,
    clinic: String,
    services: Vec<Service>,
    prices: Vec<Option<Price>>,
    date: String,
    cpf: Option<Value>,
    cnpj: Option<Value>,
    address: Option<Value>,
}

/// A service as an attendance names it.
#[derive(Deserialize)]
struct Service {
    service_code: Option<Value>,
    service_name: Option<String>,
}

/// A service as its record has it.
#[derive(Deserialize)]
struct Price {
    code: Option<Value>,
    name: Option<Value>,
    /// Unread, so that it never becomes a float.
    price: Option<Box<RawValue>>,
}

/// What later steps and other rules get.
#[derive(Serialize)]
struct Output<'a> {
    document: &'a str,
    number: u64,
    total: String,
    total_text: String,
}

/// The data of `receipt.issued`.
#[derive(Serialize)]
struct Issued<'a> {
    number: u64,
    total: String,
    document: &'a str,
}

/// Makes a receipt, keeps it, and says so.
///
/// # Errors
/// A price is missing: the job waits for it. Or the inputs do not make a receipt, for good.
pub fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
    let language = if context.language() == "pt" { Language::Portuguese } else { Language::English };
    let mut receipt = read(&input, language)?;
    receipt.number = state::next("receipts")?;
    let document = Document::new(receipt.file_name(), "application/pdf", paper::pdf(&receipt), receipt.text()).store()?;

    let Receipt { number, total, .. } = receipt;
    events::emit("receipt.issued", &Issued { number, total: total.to_string(), document: &document })?;
    let total_text = total.figures();
    let summary = match language {
        Language::Portuguese => format!("Recibo nº {number} de {total_text}"),
        Language::English => format!("Receipt no. {number} of {total_text}"),
    };
    Outcome::new("issued", summary).with_output(&Output { document: &document, number, total: total.to_string(), total_text })
}

zelo_plugin::export!(run);

/// Whose words failures and summaries are in.
#[derive(Clone, Copy)]
enum Language {
    Portuguese,
    English,
}

impl Language {
    fn permanent(self, portuguese: impl Into<String>, english: impl Into<String>) -> Failure {
        match self {
            Self::Portuguese => Failure::permanent(portuguese),
            Self::English => Failure::permanent(english),
        }
    }
}

/// The receipt that the inputs make; it has no number yet.
fn read(input: &Input, language: Language) -> Result<Receipt, Failure> {
    let patient = present("patient", &input.patient, language)?;
    let clinic = present("clinic", &input.clinic, language)?;
    let date = present("date", &input.date, language)?;
    let lines = lines(&input.services, &input.prices, language)?;
    let address = parties::address(input.address.as_ref());
    within("address", address.lines.iter().map(|line| line.chars().count()).sum(), ADDRESS_MAX, language)?;
    if address.lines.len() > ADDRESS_LINES_MAX {
        let (count, max) = (address.lines.len(), ADDRESS_LINES_MAX);
        return Err(language.permanent(
            format!("`address` tem {count} linhas; o máximo é {max}"),
            format!("`address` has {count} lines; {max} are allowed"),
        ));
    }
    let total: Amount = lines.iter().map(|line| line.amount).sum();
    if total.is_too_large() {
        return Err(price_problem("total", Problem::TooLarge, language));
    }
    let receipt = Receipt {
        number: 0,
        patient,
        cpf: identity("CPF", parties::cpf(input.cpf.as_ref())),
        clinic,
        cnpj: identity("CNPJ", parties::cnpj(input.cnpj.as_ref())),
        address,
        lines,
        total,
        date,
    };
    let size = receipt.text().len();
    if size > TEXT_MAX {
        let portuguese = format!("os textos do recibo têm {size} bytes; o máximo é {TEXT_MAX}");
        return Err(language.permanent(portuguese, format!("the texts of the receipt have {size} bytes; {TEXT_MAX} are allowed")));
    }
    Ok(receipt)
}

fn present(name: &str, text: &str, language: Language) -> Result<String, Failure> {
    let text = one_line(text);
    if text.is_empty() {
        return Err(language.permanent(format!("`{name}` está vazio"), format!("`{name}` is empty")));
    }
    within(name, text.chars().count(), NAME_MAX, language)?;
    Ok(text)
}

fn within(name: &str, count: usize, max: usize, language: Language) -> Result<(), Failure> {
    if count <= max {
        return Ok(());
    }
    let portuguese = format!("`{name}` tem {count} caracteres; o máximo é {max}");
    Err(language.permanent(portuguese, format!("`{name}` has {count} characters; {max} are allowed")))
}

/// What cannot be a CPF or CNPJ is left out: a receipt without one is still a receipt.
fn identity(name: &str, read: Result<Option<String>, usize>) -> Option<String> {
    read.unwrap_or_else(|digits| {
        warn!("the {name} has {digits} digits: the receipt is issued without it");
        None
    })
}

/// The services with their prices; where one is missing, the failure names all that are.
fn lines(services: &[Service], prices: &[Option<Price>], language: Language) -> Result<Vec<Line>, Failure> {
    counted(services.len(), prices.len(), language)?;
    let mut lines = Vec::with_capacity(services.len());
    let mut missing = Vec::new();
    for (service, price) in services.iter().zip(prices) {
        match line(service, price.as_ref(), language)? {
            Ok(line) => lines.push(line),
            Err(without) => missing.push(without),
        }
    }
    if missing.is_empty() {
        return Ok(lines);
    }
    let missing = missing.join("; ");
    Err(Failure::missing(match language {
        Language::Portuguese => format!("Falta o preço de: {missing}"),
        Language::English => format!("No price for: {missing}"),
    }))
}

fn counted(services: usize, prices: usize, language: Language) -> Result<(), Failure> {
    if services == 0 {
        return Err(language.permanent("não há serviços para o recibo", "there are no services to give a receipt for"));
    }
    if services > SERVICES_MAX {
        let portuguese = format!("há {services} serviços; um recibo leva no máximo {SERVICES_MAX}");
        return Err(language.permanent(portuguese, format!("there are {services} services; a receipt has {SERVICES_MAX} at most")));
    }
    if services != prices {
        let portuguese = format!("há {services} serviços e {prices} preços: não se sabe qual é de qual");
        return Err(
            language.permanent(portuguese, format!("there are {services} services and {prices} prices: which is whose is not known"))
        );
    }
    Ok(())
}

/// A service with its price, or what a service without one is called.
fn line(service: &Service, price: Option<&Price>, language: Language) -> Result<Result<Line, String>, Failure> {
    let code = service.service_code.as_ref().and_then(shown).unwrap_or_default();
    let own_name = service.service_name.as_deref().map(one_line).filter(|name| !name.is_empty());
    let description = own_name.or_else(|| price?.name.as_ref().and_then(shown)).unwrap_or_default();
    within("service_code", code.chars().count(), CODE_MAX, language)?;
    within("service_name", description.chars().count(), DESCRIPTION_MAX, language)?;
    let title = format!("{code} {description}").trim().to_owned();

    let priced = price.and_then(|price| price.code.as_ref()).and_then(shown).unwrap_or_default();
    if !same_code(&priced, &code) {
        let portuguese = format!("o preço dado para {title} é do serviço {priced}");
        return Err(language.permanent(portuguese, format!("the price that is given for {title} is that of the service {priced}")));
    }
    let Some(text) = price.and_then(|price| price.price.as_deref()).and_then(price_text) else { return Ok(Err(title)) };
    let amount = Amount::read(&text).map_err(|problem| price_problem(&title, problem, language))?;
    Ok(Ok(Line { code, description, amount }))
}

/// Whether two codes are of the same service, as far as they say: one that was a number has lost its leading zeros.
fn same_code(one: &str, other: &str) -> bool {
    one.is_empty() || other.is_empty() || one.trim_start_matches('0') == other.trim_start_matches('0')
}

/// The text of a price: of a number as it stands in the JSON, of a string what is in it. None where there is nothing.
fn price_text(price: &RawValue) -> Option<String> {
    let raw = price.get();
    let text = serde_json::from_str::<Option<String>>(raw).unwrap_or_else(|_| Some(raw.to_owned()));
    text.filter(|text| !text.trim().is_empty())
}

fn price_problem(title: &str, problem: Problem, language: Language) -> Failure {
    let (portuguese, english) = match problem {
        Problem::NotANumber => ("não é um valor em reais", "is not an amount of money"),
        Problem::Negative => ("é negativo", "is negative"),
        Problem::TooFine => ("tem mais de duas casas decimais", "has more than two decimal places"),
        Problem::TooLarge => ("é maior do que um recibo pode ter", "is larger than a receipt can have"),
    };
    language.permanent(format!("o preço de {title} {portuguese}"), format!("the price of {title} {english}"))
}
