//! The guest's side of `wit/zelo-automation-0.1.0`, generated, and the way from it to the plugin's function.

use serde::de::DeserializeOwned;

wit_bindgen::generate!({
    path: "../../wit/zelo-automation-0.1.0",
    world: "automation",
    pub_export_macro: true,
    default_bindings_module: "zelo_plugin::bindings",
});

use self::zelo::automation::{log, types};

/// Calls the plugin's function with what the host gave.
#[doc(hidden)]
pub fn run<I: DeserializeOwned>(
    call: Invocation,
    run: fn(I, &crate::Context) -> Result<crate::Outcome, crate::Failure>,
) -> Result<Outcome, Failure> {
    std::panic::set_hook(Box::new(panicked));
    let Invocation { job_id, rule, action, event, now, seed, locale, input } = call;
    let event = crate::Event { id: event.id, kind: event.type_, time: event.time };
    let context = crate::Context { job_id, rule, action, event, now, seed, locale };
    match crate::call(run, &input, &context) {
        Ok(crate::Outcome { code, summary, output }) => Ok(Outcome { code, summary, output }),
        Err(crate::Failure::Permanent { reason }) => Err(Failure::Permanent(reason)),
        Err(crate::Failure::Missing { reason }) => Err(Failure::Missing(reason)),
        Err(crate::Failure::Retry { reason, after }) => {
            let after_ms = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            Err(Failure::Retry(types::Retry { reason, after_ms }))
        }
    }
}

/// Without this a panic would end the run as a bare trap, and nobody could tell which.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    log::write(log::Level::Error, &std::format!("{panic}"));
}
