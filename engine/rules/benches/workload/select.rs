//! Chooses rules so that an event matches about three of them, however many there are.
//!
//! With more rules, more of them belong to one clinic or one tenancy. What the draw gives is then mended: one rule after the other
//! is swapped for another of the same draw, where that brings the sum of all matches closer to the wanted one.

use super::conditions::{Condition, Judge};
use super::dice::Dice;
use super::kinds::{Kind, MIDDLING, WIDE};

/// So many rules match an event, in the mean.
const WANTED: usize = 3;

/// No more swaps are tried than this, or than forty a rule: what mean was reached is printed.
const TRIES: usize = 200_000;
const TRIES_A_RULE: usize = 40;

/// `count` rules: of each its conditions, all of which must hold.
pub(crate) fn rules(count: usize, events: usize, judge: &mut Judge<'_>, dice: &mut Dice) -> Vec<Vec<Condition>> {
    let mut rules: Vec<Vec<Condition>> = (0..count).map(|_| rule(count, dice)).collect();
    let mut matches: Vec<usize> = rules.iter().map(|rule| judge.matches(rule).count()).collect();
    let (wanted, mut sum) = (WANTED * events, matches.iter().sum::<usize>());
    for _ in 0..TRIES.max(TRIES_A_RULE * count) {
        if sum.abs_diff(wanted) * 100 <= wanted {
            break;
        }
        let at = dice.between(0, count as u64) as usize;
        let other = rule(count, dice);
        let its = judge.matches(&other).count();
        let swapped = sum - matches[at] + its;
        if swapped.abs_diff(wanted) < sum.abs_diff(wanted) {
            (sum, matches[at], rules[at]) = (swapped, its, other);
        }
    }
    rules
}

/// The shares of the rules that belong to one clinic, to one tenancy, and that ask about something in the middle.
fn shares(count: usize) -> [f64; 3] {
    match count {
        0..=10 => [0.0, 0.0, 0.2],
        11..=100 => [0.1, 0.35, 0.4],
        101..=1_000 => [0.55, 0.3, 0.1],
        _ => [0.85, 0.1, 0.04],
    }
}

fn rule(count: usize, dice: &mut Dice) -> Vec<Condition> {
    loop {
        let mut conditions: Vec<Condition> = Vec::new();
        for kind in kinds(count, dice).into_iter().take(4) {
            let condition = kind.condition(dice);
            if conditions.iter().all(|other| other.path != condition.path) {
                conditions.push(condition);
            }
        }
        if conditions.len() >= 2 {
            return conditions;
        }
    }
}

fn kinds(count: usize, dice: &mut Dice) -> Vec<Kind> {
    let [clinic, tenancy, middling] = shares(count);
    let many = count >= 10_000;
    let among = |others: &[Kind]| [&WIDE, others].concat();
    let which = dice.unit();
    if which < clinic {
        let more = dice.between(1, if many { 4 } else { 3 }) as usize;
        [vec![Kind::Clinic], dice.sample(&among(&[Kind::Status, Kind::Type, Kind::Channel]), more)].concat()
    } else if which < clinic + tenancy {
        let more = if many { dice.between(2, 4) } else { dice.between(1, 3) } as usize;
        let others = among(&[Kind::Status, Kind::Type, Kind::Service, Kind::Tag, Kind::Name]);
        [vec![Kind::Tenancy], dice.sample(&others, more)].concat()
    } else if which < clinic + tenancy + middling {
        let (some, wide) = (dice.between(1, 3) as usize, dice.between(1, 3) as usize);
        let middling = [&MIDDLING[..], &[Kind::Service]].concat();
        [dice.sample(&middling, some), dice.sample(&WIDE, wide)].concat()
    } else if count <= 10 {
        dice.sample(&WIDE, 2)
    } else {
        let some = dice.between(2, 4) as usize;
        let mut kinds = dice.sample(&MIDDLING, some);
        kinds.extend(dice.chance(0.3).then_some(Kind::Service));
        kinds
    }
}
