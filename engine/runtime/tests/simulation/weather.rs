//! What goes wrong in a story, and how often: drawn from its seed.

use crate::scheduler::Dice;

/// How often things go wrong: of a thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Calls of the store that fail before they do anything, or do it and are not answered.
    pub(crate) store: u64,
    /// Requests that other people's machines do not simply carry out.
    pub(crate) abroad: u64,
    /// The steps between which nobody is there at all.
    pub(crate) outage: (u64, u64),
    /// Steps at which the process dies, or stops.
    pub(crate) crash: u64,
    pub(crate) crashes_max: u64,
    /// Steps at which something is held up for longer than its lease, perhaps.
    pub(crate) freeze: u64,
    /// Acknowledged deliveries that are sent again.
    pub(crate) again: u64,
    /// Steps at which somebody sets the machine's clock.
    pub(crate) clock: u64,
    /// The step after which nothing goes wrong any more.
    pub(crate) calm_after: u64,
    /// Whether the store is a file, opened anew after each crash; otherwise it is kept in memory.
    pub(crate) on_disk: bool,
    /// Whether the store is told what its process has in hand. Where it is not, as one of several nodes could not be, a worker that is
    /// held up for longer than its lease loses its job to another.
    pub(crate) alone: bool,
}

impl Weather {
    pub(crate) const CALM: Self = Self {
        store: 0,
        abroad: 0,
        outage: (0, 0),
        crash: 0,
        crashes_max: 0,
        freeze: 0,
        again: 0,
        clock: 0,
        calm_after: 0,
        on_disk: false,
        alone: true,
    };

    pub(crate) fn of(dice: &mut Dice) -> Self {
        Self {
            store: dice.pick(&[0, 10, 30, 100]),
            abroad: dice.pick(&[0, 100, 300, 600]),
            outage: dice.pick(&[(0, 0), (0, 0), (20, 120), (60, 400)]),
            crash: dice.pick(&[0, 5, 10, 30]),
            crashes_max: 4,
            freeze: dice.pick(&[0, 10, 40, 100]),
            again: dice.pick(&[0, 100, 400]),
            clock: dice.pick(&[0, 0, 5]),
            calm_after: dice.pick(&[100, 300, 600]),
            on_disk: dice.chance(150),
            alone: dice.chance(300),
        }
    }
}
