//! From the start of a process to its first accepted delivery, with a thousand rules that are on and plugins compiled before; and its memory then.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Size;
use crate::client::Connection;
use crate::drive::Delivery;
use crate::measure::{Rows, median, memory};
use crate::report::Report;
use crate::servers::House;
use crate::workload::{Deliveries, Standing, bystander};

/// Design §9.
const RULES: usize = 1_000;
const STARTED_WITHIN_S: f64 = 0.3;
const MEMORY_MIB: f64 = 60.0;

pub(crate) fn measure(folder: &Path, size: Size, report: &mut Report) -> Result<(), String> {
    let names: Vec<String> = (0..RULES).map(|number| format!("tell-{number}")).collect();
    let house = House::new(folder, "start", names.iter().map(String::as_str));
    for (number, name) in names.iter().enumerate() {
        fs::write(house.folder.join(format!("rules/automations/{name}.toml")), bystander(number)).unwrap();
    }
    // The first start compiles the plugins.
    house.serve().stop()?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut deliveries = Deliveries::new();
    let (mut starts, mut memories) = (Vec::new(), Vec::new());
    println!("\n{RULES} rules that are on: from the start of the process to the first 202, and memory after two idle seconds");
    for round in 1..=size.rounds {
        let delivery = deliveries.some(1, Standing::Scheduled).remove(0);
        let begun = Instant::now();
        let server = house.spawn();
        tokio.block_on(first(server.port, &delivery))?;
        starts.push(begun.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_secs(2));
        memories.push(memory(server.pid()));
        println!("{round:>5} {:>9.3} s {:>9.1} MiB", starts[round - 1], memories[round - 1]);
        server.stop()?;
    }
    let mut rows = Rows::of(&house.database());
    let stored = rows.events();
    rows.close();
    if stored != size.rounds as i64 {
        return Err(format!("{} deliveries were accepted, and there are {stored} events", size.rounds));
    }
    report.at_most("start to first 202, 1,000 rules", median(starts), STARTED_WITHIN_S, " s");
    report.at_most("memory when idle, 1,000 rules", median(memories), MEMORY_MIB, " MiB");
    Ok(())
}

/// Delivers as soon as somebody listens.
async fn first(port: u16, delivery: &Delivery) -> Result<(), String> {
    let begun = Instant::now();
    let mut connection = Connection::to(port);
    while connection.open().await.is_err() {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("zelo does not listen".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    match connection.exchange(delivery).await {
        Ok(answer) if answer.status == 202 => Ok(()),
        Ok(answer) => Err(format!("the first delivery was answered with {}: {}", answer.status, String::from_utf8_lossy(&answer.body))),
        Err(error) => Err(format!("the first delivery was not answered: {error}")),
    }
}
