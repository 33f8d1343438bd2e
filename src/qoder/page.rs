//! A page of a list, decoded on the way through it. An entry that makes no sense does not spoil
//! the others.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{
    Deployment, Schedule,
    error::ApiError,
    lenient::{Field, Fields, Name, body, exact, object},
    wire::{FIELDS, described},
};
use crate::api::DeploymentId;

/// Most entries of a page: ten times the most that the API gives.
const MAX_ENTRIES: usize = 10_000;
/// Longest cursor, in bytes: servers take no more in a URL.
const MAX_CURSOR: usize = 8 * 1024;

/// One entry of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    Deployment(DeploymentId, Deployment),
    /// It makes no sense, but says which deployment it is about.
    Invalid(DeploymentId),
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries that name a deployment.
    pub items: Vec<Item>,
    /// Where the next page starts; `None`: this is the last.
    pub next: Option<Cursor>,
}

/// Where a page starts (API page, section 3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cursor {
    /// `after_id`: known to both generations, therefore preferred.
    AfterId(String),
    /// `page`: only where the page before names no last id.
    Page(String),
}

/// Decodes a page. `data` must be an array and `has_more` a boolean; a cursor is needed where
/// more is to come, and is looked at only there.
pub(super) fn page(answer: &[u8]) -> Result<Page, ApiError> {
    const NO_PAGE: ApiError = ApiError::Invalid("not a page of a list");
    let answer = body(answer);
    // An entry that is not an object stops the quick way; the other way skips it.
    let fields = fields(&answer, Entries::Quick).or_else(|| fields(&answer, Entries::OneByOne));
    let (items, [has_more, last_id, next_page]) = fields.ok_or(NO_PAGE)?;
    let next = match has_more {
        Field::Absent | Field::Value("false") => None,
        Field::Value("true") => {
            let next = cursor(last_id).map(Cursor::AfterId);
            let next = next.or_else(|| cursor(next_page).map(Cursor::Page));
            Some(next.ok_or(ApiError::Invalid("a page with more to come and no cursor"))?)
        }
        Field::Value(_) | Field::Repeated => return Err(NO_PAGE),
    };
    Ok(Page { items, next })
}

fn cursor(field: Field<'_>) -> Option<String> {
    let cursor = exact(field.value()?)?;
    let usable = (1..=MAX_CURSOR).contains(&cursor.len());
    usable.then(|| cursor.into_owned())
}

fn item(fields: [Field<'_>; 6], schedules: &mut BTreeSet<Arc<Schedule>>) -> Option<Item> {
    let (id, found) = described(fields);
    let id = id?;
    Some(match found {
        Ok(mut found) => {
            found.share_schedule(schedules);
            Item::Deployment(id, found)
        }
        Err(_) => Item::Invalid(id),
    })
}

/// `data`; then `has_more`, `last_id` and `next_page`. `None`: it is not a page, or cannot be
/// read that way.
fn fields(answer: &str, entries: Entries) -> Option<(Vec<Item>, [Field<'_>; 3])> {
    let mut json = serde_json::Deserializer::from_str(answer);
    let (items, others) = json.deserialize_map(entries).ok()?;
    json.end().ok()?;
    Some((items?, others))
}

/// How the entries of a page are taken.
#[derive(Clone, Copy)]
enum Entries {
    /// In one pass. All of them must be objects.
    Quick,
    /// Each is skipped first, to know where it ends, and then looked at.
    OneByOne,
}

impl<'de> Visitor<'de> for Entries {
    type Value = (Option<Vec<Item>>, [Field<'de>; 3]);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        const NAMES: [&str; 4] = ["has_more", "last_id", "next_page", "data"];
        let mut items = None;
        let mut others = [None; 3];
        while let Some(place) = map.next_key_seed(Name(&NAMES))? {
            match place.map(|place| others.get_mut(place)) {
                Some(Some(field)) => *field = Some(Field::after(*field, map.next_value()?)),
                Some(None) if items.is_some() => return Err(A::Error::duplicate_field("data")),
                Some(None) => items = Some(map.next_value_seed(Items(self))?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok((items, others.map(Option::unwrap_or_default)))
    }
}

/// The entries that name a deployment. Nothing is kept of the others.
struct Items(Entries);

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Item>;

    fn deserialize<D: Deserializer<'de>>(self, data: D) -> Result<Self::Value, D::Error> {
        data.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut data: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        let mut schedules = BTreeSet::new();
        while let Some(fields) = match self.0 {
            Entries::Quick => data.next_element_seed(Fields(FIELDS))?.map(Some),
            Entries::OneByOne => {
                let json = data.next_element::<&'de RawValue>()?;
                json.map(|json| object(json.get(), FIELDS))
            }
        } {
            items.extend(fields.and_then(|fields| item(fields, &mut schedules)));
            if items.len() > MAX_ENTRIES {
                return Err(A::Error::custom("too many entries"));
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
