//! People who sign in with a password.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::{Actor, Clinics};
use zelo_server::people::{Change, New};
use zelo_server::{codes, people};
use zelo_store::PersonRow;

use super::{Scene, named, role_of};

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Ask {
    Add {
        name: String,
        role: String,
        clinics: Vec<String>,
        /// Its hash.
        password: String,
    },
    List,
    Remove {
        name: String,
    },
    Password {
        name: String,
        /// Its hash.
        password: String,
    },
    Code {
        name: String,
        off: bool,
    },
}

/// Of a password, it prints nothing.
impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

pub(super) async fn answer(scene: &Scene<'_>, ask: &Ask) -> Result<Value> {
    let Scene { store, clock, entropy, .. } = *scene;
    let now = clock.now();
    let change = async |name: &str, change: Change| people::change(store, name, change, Actor::command(), now).await;
    match ask {
        Ask::List => return Ok(store.people().await?.iter().map(told).collect()),
        Ask::Add { name, role, clinics, password } => {
            let new = New { name: name.clone(), role: role_of(role)?, clinics: named(clinics)?, password: password.clone() };
            people::add(store, new, Actor::command(), now).await?;
        }
        Ask::Password { name, password } => change(name, Change::Password(password.clone())).await?,
        Ask::Code { name, off: true } => change(name, Change::Codes(None)).await?,
        Ask::Code { name, off: false } => {
            let secret = codes::new_secret(entropy);
            let (told, address) = codes::told(name, &secret);
            change(name, Change::Codes(Some(secret))).await?;
            return Ok(json!({ "secret": told, "address": address }));
        }
        Ask::Remove { name } => people::remove(store, name, Actor::command(), now).await?,
    }
    Ok(Value::Null)
}

fn told(person: &PersonRow) -> Value {
    let clinics = match &person.clinics {
        Clinics::All => None,
        Clinics::Only(named) => Some(named.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    json!({ "name": person.name, "role": person.role, "clinics": clinics, "code": person.secret.is_some(), "created": person.created })
}
