//! Which traces are exported: all of a trace, or nothing.

/// Which traces are exported. A caller's word does not count, so `parentbased_` makes no difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sampling {
    All,
    None,
    /// This share, from 0 to 1.
    Share(f64),
}

impl Sampling {
    /// As `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say.
    ///
    /// # Errors
    /// It is none that is known.
    pub(super) fn named(name: Option<&str>, argument: Option<&str>) -> Result<Self, String> {
        let name = name.map_or("always_on", str::trim);
        match name.strip_prefix("parentbased_").unwrap_or(name) {
            "" | "always_on" => Ok(Self::All),
            "always_off" => Ok(Self::None),
            "traceidratio" => match argument.map_or(Ok(1.0), |share| share.trim().parse()) {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self::Share(share)),
                _ => Err("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1".to_owned()),
            },
            other => Err(format!("OTEL_TRACES_SAMPLER: `{other}` is not known; write always_on, always_off or traceidratio")),
        }
    }

    /// Whether a trace is exported: the same for each of its spans, today and in weeks.
    ///
    /// The usual rule for a share looks at the upper bits of the last eight bytes, as numbers that are spread evenly. Those of an event's id
    /// begin with the two bits by which a UUID says what it is (RFC 9562 §4.1), so they are left out.
    pub(super) fn keeps(self, trace: [u8; 16]) -> bool {
        let mut last = [0; 8];
        last.copy_from_slice(&trace[8..]);
        let even = (u64::from_be_bytes(last) << 2) as f64 / 2f64.powi(64);
        match self {
            Self::All => true,
            Self::None => false,
            Self::Share(share) => even < share,
        }
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::{EventId, SeededEntropy, Timestamp};

    use super::*;

    #[test]
    fn the_words_are_those_of_opentelemetry() {
        let named = |name: &str, argument: Option<&str>| Sampling::named(Some(name), argument);
        assert_eq!(Sampling::named(None, None), Ok(Sampling::All));
        assert_eq!(named("parentbased_always_on", None), Ok(Sampling::All));
        assert_eq!(named("always_off", None), Ok(Sampling::None));
        assert_eq!(named("traceidratio", Some("0.25")), Ok(Sampling::Share(0.25)));
        assert_eq!(named("parentbased_traceidratio", None), Ok(Sampling::Share(1.0)));
        assert!(named("traceidratio", Some("2")).is_err() && named("traceidratio", Some("x")).is_err() && named("xray", None).is_err());
    }

    #[test]
    fn a_share_of_events_is_that_share() {
        let entropy = SeededEntropy::new(1);
        let ids: Vec<_> = (0..4000).map(|number| *EventId::new(Timestamp::UNIX_EPOCH, number, &entropy).bytes()).collect();
        for share in [0.0, 0.1, 0.4, 0.9, 1.0] {
            let kept = ids.iter().filter(|id| Sampling::Share(share).keeps(**id)).count() as f64 / ids.len() as f64;
            assert!((kept - share).abs() < 0.03, "{share}: {kept}");
        }
    }
}
