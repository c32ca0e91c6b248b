//! How long the pages take that people look at, with a large store behind them: each page that the menu
//! leads to, one of every form.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::Size;
use crate::client::Connection;
use crate::drive::closed;
use crate::measure::{Rows, median};
use crate::report::{Report, number};
use crate::servers::House;
use crate::workload::{Deliveries, Standing, bystander};

/// What must be reached with a hundred thousand events and ten thousand rules.
const WITHIN_MS: f64 = 200.0;
const IN_FLIGHT: usize = 64;

pub(crate) fn measure(folder: &Path, size: Size, report: &mut Report) -> Result<(), String> {
    let (events, rules) = (size.stored, size.rules);
    let names: Vec<String> = (0..rules).map(|number| format!("tell-{number}")).collect();
    let on = names.iter().map(String::as_str).chain(["tell", "appointment-reminder"]);
    let house = House::new(folder, "pages", on);
    for (number, name) in names.iter().enumerate() {
        fs::write(house.folder.join(format!("rules/automations/{name}.toml")), bystander(number)).unwrap();
    }
    let server = house.serve();
    let mut deliveries = Deliveries::new();
    for standing in [Standing::Done, Standing::Scheduled] {
        closed(server.port, deliveries.some(events / 2, standing), IN_FLIGHT).all_accepted("the events behind the pages")?;
    }
    let token = house.told(&["token", "new", "--role", "admin"]);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let visit = |path: &str| -> Result<(f64, String), String> {
        let mut connection = Connection::to(server.port);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\naccept: text/html\r\nauthorization: Bearer {}\r\n\r\n",
            server.port,
            token.trim()
        );
        tokio.block_on(connection.open()).map_err(|error| error.to_string())?;
        let begun = Instant::now();
        let answer = tokio.block_on(connection.exchange(request.as_bytes())).map_err(|error| format!("{path}: {error}"))?;
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        if answer.status != 200 {
            return Err(format!("{path} answers {}", answer.status));
        }
        Ok((took, String::from_utf8_lossy(&answer.body).into_owned()))
    };
    let pages = walk(|path| Ok(visit(path)?.1))?;
    println!("\n{} events, {} rules that are on: from a request to the whole page, in ms", number(events as f64), number(rules as f64));
    let mut slowest = (0.0, String::new());
    for page in &pages {
        let took = (0..=size.rounds).map(|_| Ok(visit(page)?.0)).collect::<Result<Vec<f64>, String>>()?;
        // Before the first nothing of it was read.
        let (first, again) = (took[0], median(took[1..].to_vec()));
        println!("{again:>9.1} {first:>9.1} at first  {page}");
        if again > slowest.0 {
            slowest = (again, page.clone());
        }
    }
    let mut rows = Rows::of(&house.database());
    let stored = rows.events();
    rows.close();
    if stored != (events / 2 * 2) as i64 {
        return Err(format!("{events} deliveries were accepted, and there are {stored} events"));
    }
    server.stop()?;
    report.figure(format!("pages over {} events and {} rules", number(events as f64), number(rules as f64)), number(pages.len() as f64));
    report.at_most(format!("the slowest of them, {}", slowest.1), slowest.0, WITHIN_MS, " ms");
    Ok(())
}

/// One page of each form, by its address: what the menu leads to and what these lead to, and each list as its filters narrow it.
fn walk(read: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    let mut known = BTreeSet::new();
    let mut pages = Vec::new();
    let mut ahead = VecDeque::from(["/".to_owned()]);
    while let Some(page) = ahead.pop_front() {
        if !known.insert(form(&page)) {
            continue;
        }
        let text = read(&page)?;
        ahead.extend(links(&text));
        for choice in choices(&text) {
            let narrowed = format!("{page}{}{choice}", if page.contains('?') { '&' } else { '?' });
            if known.insert(form(&narrowed)) {
                pages.push(narrowed);
            }
        }
        pages.push(page);
    }
    Ok(pages)
}

/// What pages have in common that differ in what they are of: the path without its ids, and the parameters' names.
fn form(page: &str) -> (String, BTreeSet<String>) {
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let word = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    let parts: Vec<&str> =
        path.split('/').enumerate().map(|(at, part)| if at == 1 || word(part) && at != 2 { part } else { "*" }).collect();
    let names = query.split('&').map(|parameter| parameter.split('=').next().unwrap_or_default().to_owned());
    // Jobs and events are two lists at one address.
    let shown = query.split('&').find(|parameter| parameter.starts_with("show=")).map(str::to_owned);
    (parts.join("/"), names.chain(shown).collect())
}

/// The last choice of each filter of a page, as a parameter.
fn choices(page: &str) -> Vec<String> {
    let filters = page.split("<form").skip(1).filter(|form| form.split('>').next().is_some_and(|head| !head.contains("method=\"post\"")));
    let selects = filters.flat_map(|form| form.split("</form>").next().unwrap_or_default().split("<select").skip(1));
    let chosen = selects.filter_map(|select| {
        let name = select.split("name=\"").nth(1)?.split('"').next()?;
        let value = select.split("</select>").next()?.rsplit("value=\"").next()?.split('"').next()?;
        Some(format!("{name}={}", value.replace('/', "%2F").replace(' ', "%20")))
    });
    chosen.collect()
}

/// Where a page leads, below this server.
fn links(page: &str) -> Vec<String> {
    let found = page.split("<a ").skip(1).filter_map(|link| link.split('>').next()?.split("href=\"").nth(1)?.split('"').next());
    let ours = found.filter(|link| link.starts_with('/') && !link.starts_with("/api/"));
    ours.map(|link| link.replace("&amp;", "&")).collect()
}
