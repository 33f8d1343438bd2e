//! What a read can say: one list for all tests that go through it.

use qoder_operator::remote::{Answer, PausedBy, ReadFailure};

pub const FAILURES: [ReadFailure; 4] = [
    ReadFailure::Unavailable,
    ReadFailure::AnswerInvalid,
    ReadFailure::NotTheApi,
    ReadFailure::Unauthorized,
];

pub const ANSWERS: [Answer; 7] = [
    Answer::Forbidden,
    Answer::NotFound,
    Answer::Archived,
    Answer::Active,
    Answer::Paused(PausedBy::Hand),
    Answer::Paused(PausedBy::Platform),
    Answer::UnknownStatus,
];
