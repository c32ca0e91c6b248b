//! What a rule declares and names nowhere.

use crate::diagnostic::warning;
use crate::reader::Table;
use crate::rule::names::Names;

/// Warns about settings and lookups of the rule at `root` that no text, condition, time, field or grant names. A test that
/// chooses or gives one does not count. Nothing is said of a file with mistakes: what cannot be read may have named them.
pub(crate) fn warn(root: &Table<'_>, names: &Names) {
    let report = root.report();
    if report.has_errors() {
        return;
    }
    for (setting, _) in root.table("settings").iter().flat_map(Table::entries) {
        if !names.uses_setting(setting.value) {
            let finding = warning("unused-setting", setting.span, format!("nothing depends on `settings.{}`", setting.value));
            report.push(finding.help("name it where it is meant to hold, or take it away: a clinic that chooses it would wait in vain"));
        }
    }
    for (lookup, _) in root.table("lookup").iter().flat_map(Table::entries) {
        if !names.uses_lookup(lookup.value) {
            let finding = warning("unused-lookup", lookup.span, format!("nothing reads the record of [lookup.{}]", lookup.value));
            report.push(finding.help(format!("read it with `record = \"{}\"`, or take it away", lookup.value)));
        }
    }
}
