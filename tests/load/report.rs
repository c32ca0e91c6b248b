//! What was found, beside what must be reached.

/// The lines of the table.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<[String; 4]>,
}

impl Report {
    /// A figure without a budget.
    pub(crate) fn figure(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.lines.push([what.into(), found.into(), String::new(), String::new()]);
    }

    /// A figure that must be at least this.
    pub(crate) fn at_least(&mut self, what: impl Into<String>, found: f64, least: f64, unit: &str) {
        self.against(what.into(), found, format!("≥ {}", number(least)), found >= least, unit);
    }

    /// A figure that must be at most this.
    pub(crate) fn at_most(&mut self, what: impl Into<String>, found: f64, most: f64, unit: &str) {
        self.against(what.into(), found, format!("≤ {}", number(most)), found <= most, unit);
    }

    fn against(&mut self, what: String, found: f64, budget: String, met: bool, unit: &str) {
        let verdict = if met { "met" } else { "missed" };
        self.lines.push([what, format!("{}{unit}", number(found)), format!("{budget}{unit}"), verdict.to_owned()]);
    }

    pub(crate) fn print(&self) {
        let width = |column: usize| self.lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let (first, second, third) = (width(0), width(1), width(2).max("budget".len()));
        println!("\n{:first$}  {:>second$}  {:>third$}", "", "found", "budget");
        for [what, found, budget, verdict] in &self.lines {
            println!("{}", format!("{what:first$}  {found:>second$}  {budget:>third$}  {verdict}").trim_end());
        }
    }
}

/// With as many digits as say something, and commas between the thousands.
pub(crate) fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in milliseconds.
pub(crate) fn ms(time: std::time::Duration) -> String {
    format!("{} ms", number(time.as_secs_f64() * 1000.0))
}
