//! The pages of plugins.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use zelo_host::{Host, HostConfig};
use zelo_runtime::rulebook::Edition;
use zelo_runtime::{Catalog, Installed, Lock};
use zelo_server::access::Role;

use crate::gates::only;
use crate::house::House;

/// Has the plugin `message`, as it ships, be in force; with a lock.
async fn install(house: &House) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/message.wasm");
    std::fs::copy(&shipped, folder.path().join("message.wasm"))
        .unwrap_or_else(|error| panic!("{}: {error}; `plugins/build` makes it", shipped.display()));
    let installed = Installed { lock: folder.path().join("zelo.lock"), ..Installed::in_folder(folder.path()) };
    let host = Host::new(HostConfig::default()).unwrap();
    let catalog = Catalog::load(&host, &installed).unwrap();
    std::fs::write(&installed.lock, Lock::of(&catalog, None).to_text()).unwrap();
    let catalog = Arc::new(Catalog::load(&host, &installed).unwrap());
    let next = move |now: &Edition, _: &[_]| Ok(Edition { in_force: now.in_force.clone(), rules: now.rules.clone(), catalog });
    house.runtime.rules.exchange(house.store(), next).await.unwrap();
    folder
}

#[tokio::test]
async fn a_plugin_says_what_it_is_what_it_may_and_where_it_is_from() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let page = async |path: &str| house.get(path, &[("cookie", &cookie)]).await;
    assert!(page("/plugins").await.text.contains("Nenhum plugin está instalado."));
    let folder = install(&house).await;
    let edition = house.runtime.rules.current();
    let plugin = edition.catalog.named("message").unwrap();

    let all = page("/plugins").await.text;
    assert!(all.contains("href=\"/plugins/message\"") && all.contains("travado"), "{all}");
    let one = page("/plugins/message").await.text;
    for part in [
        plugin.digest(),
        "<code>messages</code>",
        "mensagens: manda mensagens a quem a regra diz",
        "sem assinatura",
        "travado neste resumo",
        "Nenhuma regra o usa.",
        "Ainda não foi executado",
        "&quot;properties&quot;",
    ] {
        assert!(one.contains(part), "{part} in {one}");
    }
    let english = house.get("/plugins/message", &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    assert!(english.contains("locked to this digest") && english.contains(&plugin.manifest().wants[0].reason.en), "{english}");
    std::fs::write(folder.path().join("zelo.lock"), "plugins = []\n").unwrap();
    assert!(page("/plugins/message").await.text.contains("a trava mudou"));
    for path in ["/plugins/nothing", "/plugins/message@1"] {
        assert_eq!(page(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn who_is_of_some_clinics_sees_no_plugins() {
    let house = House::new().await;
    let limited = format!("Bearer {}", house.token_for(Role::Admin, only("acme/9")).await);
    for path in ["/plugins", "/plugins/message"] {
        house.get(path, &[("authorization", &limited)]).await.is_problem(403, "clinics");
    }
}
