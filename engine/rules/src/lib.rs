//! TOML files → checked rules → what they want because of an event.
//!
//! The way through this crate:
//!
//! 1. [`load`] reads source and rule files, checks them against each other and against the installed plugins, and gives
//!    a [`RuleSet`] or [`Diagnostic`]s: all mistakes of all files at once.
//! 2. A [`Source`] verifies a delivery and reads it into an event and records.
//! 3. [`InForce`] joins a rule set to the automations that are on. It says what they want because of an event
//!    ([`InForce::candidates`]), when a job is due (it is a `zelo_core::timing::Timetable`), and what the plugin of a job is
//!    given ([`InForce::prepare`]).
//! 4. [`run_tests`] runs the tests that stand in rule files on the same code; what plugins do is for a [`Runner`] to say.
//!
//! Everything here is a function of its arguments: no files, no clock, no randomness, no network. Nothing prints a value
//! of a payload, and no message carries one.

mod classified;
mod condition;
mod diagnostic;
mod digest;
mod document;
mod draft;
mod encoding;
mod explain;
mod facts;
mod files;
mod forms;
mod in_force;
mod index;
mod json;
mod lint;
mod load;
mod number;
mod path;
mod prepare;
mod reader;
mod render;
mod rule;
mod schema;
mod sentence;
mod source;
mod template;
mod testing;
mod text;
mod time;
mod xml;

pub use classified::Classified;
pub use condition::{
    Circumstances, Clause, ClauseTold, Comparison, Condition, Convert, Documents, Failure, Pattern, Right, Seen, Spans, Spot, Test,
    TestKind, Told, Within, ZoneOfTime,
};
pub use diagnostic::{Diagnostic, Severity};
pub use document::{placed, read_document};
pub use draft::{Caught, Draft, draft};
pub use explain::{ActionTold, EventTold, Explanation, JobTold, Outcome, Question, RuleTold};
pub use facts::Facts;
pub use files::{FileText, Files, SampleText};
pub use forms::phone_number;
pub use in_force::{ActionRef, Automation, Concerned, InForce, Lack, Problem};
pub use load::{Loaded, RuleSet, load};
pub use path::{Nodes, Path, PathError, TooMuch};
pub use prepare::{Prepared, Unprepared};
pub use render::{Colours, counts, render, render_in};
pub use rule::{
    Action, CancelOn, ClassFrom, Consent, Field, Granted, Input, Lookup, MessageGrant, PluginFacts, PluginWords, Plugins, RecordGrant,
    Refused as SettingRefused, Rule, Setting, SettingKind, Transform,
};
pub use schema::{rule_schema, source_schema};
pub use sentence::{ConsentTold, FieldTold, GrantTold, Overview, Sentence, Shown, Step};
pub use source::{
    Ack, Added, Around, Changes, Class, Classes, Composed, ConsentMapping, Delivery, EntityMapping, EventMapping, Format, Given, Handshake,
    Headers, Holds, Match, Method, OnViolation, PersonMapping, PersonReading, Place, Read, Reading, RecordFacts, RecordMapping,
    RecordReading, Refusal, Sample, Scheme, Shape, Shows, Source, Split, Texts, Through, Wanted, Words, common as common_identity,
};
pub use template::Template;
pub use testing::{Difference, Ended, Ran, Runner, SampleEvent, Stage, TestResult, Testing, missing_fixtures, run_tests, sample_event};
pub use text::{LOCALES, Localised, Text};
pub use time::{duration, instant};
