//! People who sign in with a password.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::{Actor, Clinics};
use zelo_server::access::Role;
use zelo_server::codes;
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
    let put = async |row: PersonRow| store.put_person(row, Actor::command(), now).await;
    match ask {
        Ask::List => Ok(store.people().await?.iter().map(told).collect()),
        Ask::Add { name, role, clinics, password } => {
            let role: Role = role_of(role)?;
            ensure!(store.person(name).await?.is_none(), "there is a {name} already; see zelo person password");
            let (role, clinics, password) = (role.as_str().to_owned(), named(clinics)?, password.clone());
            put(PersonRow { name: name.clone(), role, clinics, password, secret: None, created: now, version: 0 }).await?;
            Ok(Value::Null)
        }
        Ask::Password { name, password } => {
            put(PersonRow { password: password.clone(), ..known(scene, name).await? }).await?;
            Ok(Value::Null)
        }
        Ask::Code { name, off } => {
            let secret = (!off).then(|| codes::new_secret(entropy));
            let told = secret.as_ref().map(|secret| codes::told(name, secret));
            put(PersonRow { secret, ..known(scene, name).await? }).await?;
            Ok(told.map_or(Value::Null, |(secret, address)| json!({ "secret": secret, "address": address })))
        }
        Ask::Remove { name } => {
            ensure!(store.remove_person(name, Actor::command(), now).await?, "there is no {name}; see zelo person list");
            Ok(Value::Null)
        }
    }
}

async fn known(scene: &Scene<'_>, name: &str) -> Result<PersonRow> {
    scene.store.person(name).await?.with_context(|| format!("there is no {name}; see zelo person list"))
}

fn told(person: &PersonRow) -> Value {
    let clinics = match &person.clinics {
        Clinics::All => None,
        Clinics::Only(named) => Some(named.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    json!({ "name": person.name, "role": person.role, "clinics": clinics, "code": person.secret.is_some(), "created": person.created })
}
