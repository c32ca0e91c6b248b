//! What a mistyped word was probably meant to be.

/// The end of a sentence about a word that is not among `known`: the closest of them, and all of them.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return String::new();
    }
    let near = closest(word, &known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    format!("; {near}there are {}", known.join(", "))
}

/// The word among `known` that is so close to `word` that it was probably meant.
fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = |other: &str| strsim::jaro_winkler(&word, &other.to_lowercase());
    let best = known.iter().max_by(|one, other| near(one).total_cmp(&near(other)))?;
    let far = strsim::damerau_levenshtein(&word, &best.to_lowercase()) > 2.max(word.chars().count() / 3);
    (!far).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near() {
        assert_eq!(did_you_mean("phone", ["phones", "name"]), "; did you mean `phones`? there are name, phones");
        assert_eq!(did_you_mean("Telefones", ["telefone", "nome"]), "; did you mean `telefone`? there are nome, telefone");
        assert_eq!(did_you_mean("xyz", ["phones", "name"]), "; there are name, phones");
        assert_eq!(did_you_mean("xyz", []), "");
    }
}
