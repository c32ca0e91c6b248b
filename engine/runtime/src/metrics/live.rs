//! Live jobs by rule and plugin, as far as these are in force: of what is not, there is no end.

use std::collections::BTreeMap;

use zelo_rules::InForce;
use zelo_store::Live;

use super::labelled::{COMBINATIONS_MAX, OTHER};

/// How many there are, by rule, plugin and state.
pub(super) type Counted = BTreeMap<[String; 3], u64>;

/// Counts `live` under the names that are in force. Of one that nothing has begun of, the plugin is that of its action.
pub(super) fn count(in_force: &InForce, live: &[Live]) -> Counted {
    let plugins = in_force.plugins();
    let mut counted = Counted::new();
    for Live { rule, action, plugin, state, jobs } in live {
        let plugin = plugin.as_deref().or_else(|| in_force.plugin_in(rule, action)).filter(|plugin| plugins.contains(plugin));
        let rule = if in_force.has_rule(rule) { rule } else { OTHER };
        let labels = [rule, plugin.unwrap_or(OTHER), state.as_str()].map(str::to_owned);
        let full = counted.len() >= COMBINATIONS_MAX && !counted.contains_key(&labels);
        let labels = if full { [OTHER, OTHER, state.as_str()].map(str::to_owned) } else { labels };
        *counted.entry(labels).or_default() += jobs;
    }
    counted
}
