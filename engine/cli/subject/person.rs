//! Who is meant, as people write it on a command line.

use std::fmt;

use anyhow::{Result, bail, ensure};
use zelo_core::IdentityKind;

use super::Whom;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Person {
    #[command(flatten)]
    by: By,
    /// Only in this connection.
    #[arg(long, value_name = "NAME", requires = "id")]
    connection: Option<String>,
}

// Exactly one of these; `-` reads it from standard input, so that it does not stand in the shell's history.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct By {
    /// By CPF, with or without its marks; `-` reads it, or any of the following, from standard input.
    #[arg(long)]
    cpf: Option<String>,
    /// By phone number.
    #[arg(long)]
    phone: Option<String>,
    /// By e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// By what the provider calls them.
    #[arg(long)]
    id: Option<String>,
    /// By the name that stands in the audit log: sub_…
    #[arg(long, value_name = "sub_…")]
    pseudonym: Option<String>,
}

/// Prints nothing of them.
impl fmt::Debug for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("By(…)")
    }
}

impl Person {
    /// Who is meant; reads standard input where that is asked for.
    pub(super) fn whom(&self) -> Result<Whom> {
        let By { cpf, phone, email, id, pseudonym } = &self.by;
        if let Some(text) = pseudonym {
            let Ok(subject) = given(text)?.parse() else { bail!("this is no pseudonym; it is `sub_` and 32 hexadecimal digits") };
            return Ok(Whom::Pseudonym { subject });
        }
        if let Some(text) = id {
            let id = given(text)?;
            ensure!(!id.is_empty(), "the id is empty");
            return Ok(Whom::Id { id, connection: self.connection.clone() });
        }
        for (kind, text, wrong) in [
            (IdentityKind::Cpf, cpf, "this is no CPF: it has eleven digits, of which the last two must fit the others"),
            (IdentityKind::Phone, phone, "this is no phone number: write it with its area code, or with + and the country's"),
            (IdentityKind::Email, email, "this is no e-mail address: write name@example.com"),
        ] {
            let Some(text) = text else { continue };
            return match zelo_rules::common_identity(kind, &given(text)?) {
                Some(value) => Ok(Whom::Identity { kind, value }),
                None => bail!("{wrong}"),
            };
        }
        bail!("say who is meant: --cpf, --phone, --email, --id or --pseudonym")
    }
}

/// `text`, or a line of standard input.
fn given(text: &str) -> Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
