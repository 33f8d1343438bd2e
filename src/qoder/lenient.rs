//! JSON, read leniently: of an object only the fields that are asked for, each as it stands. What
//! is in the others, and text that is not Unicode, cannot make the rest unreadable.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Longest remote text that is kept, in characters: a hostile answer must not fill memory.
pub const MAX_TEXT: usize = 1024;

/// The value of one field of an object.
#[derive(Clone, Copy, Default)]
pub(super) enum Field<'a> {
    /// Absent, or null.
    #[default]
    Absent,
    /// One value, as JSON.
    Value(&'a str),
    /// Several values: nobody can say which one is meant.
    Repeated,
}

impl<'a> Field<'a> {
    /// The field, when this value comes after what was seen of it before.
    pub(super) fn after(seen: Option<Self>, json: &'a RawValue) -> Self {
        match (seen, json.get()) {
            (None, "null") => Self::Absent,
            (None, json) => Self::Value(json),
            (Some(_), _) => Self::Repeated,
        }
    }

    pub(super) fn value(self) -> Option<&'a str> {
        match self {
            Self::Value(json) => Some(json),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// The body as text. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn body(bytes: &[u8]) -> Cow<'_, str> {
    // The check alone is several times as fast as the search for what must be replaced.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The fields of these names. `None`: it is not an object, or not JSON.
pub(super) fn object<'a, const N: usize>(
    json: &'a str,
    names: [&str; N],
) -> Option<[Field<'a>; N]> {
    let mut json = serde_json::Deserializer::from_str(json);
    let fields = Fields(names).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(fields)
}

/// A string. Halves of surrogate pairs become U+FFFD. `None`: it is something else.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

/// A string of which nothing had to be replaced: what an identifier or a decision is taken from.
pub(super) fn exact(json: &str) -> Option<Cow<'_, str>> {
    text(json).filter(|text| !text.contains(char::REPLACEMENT_CHARACTER))
}

/// A string to keep, cut.
pub(super) fn kept(json: &str) -> Option<Box<str>> {
    text(json).map(|text| cut(&text).into())
}

/// The first [`MAX_TEXT`] characters.
pub(super) fn cut(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let end = text.char_indices().nth(MAX_TEXT).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
}

/// Takes the fields of these names out of an object.
pub(super) struct Fields<'n, const N: usize>(pub(super) [&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Fields<'_, N> {
    type Value = [Field<'de>; N];

    fn deserialize<D: Deserializer<'de>>(self, object: D) -> Result<Self::Value, D::Error> {
        object.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
    type Value = [Field<'de>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = [None; N];
        while let Some(place) = map.next_key_seed(Name(&self.0))? {
            let Some(field) = place.and_then(|place| fields.get_mut(place)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            *field = Some(Field::after(*field, map.next_value()?));
        }
        Ok(fields.map(Option::unwrap_or_default))
    }
}

/// The place of a key among names. Read as bytes, so that any key can be read.
pub(super) struct Name<'n>(pub(super) &'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name.as_bytes() == key))
    }
}

/// A string as bytes, which may have half a surrogate pair in it.
struct Lossy;

impl Visitor<'_> for Lossy {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_absent_a_value_or_repeated() {
        let fields = |json| object(json, ["a"]).map(|[a]| a);
        assert!(matches!(fields("{}"), Some(Field::Absent)));
        assert!(matches!(fields(r#"{"a": null}"#), Some(Field::Absent)));
        assert!(matches!(fields(r#"{"b": 1, "a" : [ 1 ] }"#), Some(Field::Value("[ 1 ]"))));
        assert!(matches!(fields(r#"{"\u0061": 1}"#), Some(Field::Value("1"))));
        assert!(matches!(fields(r#"{"a": null, "a": null}"#), Some(Field::Repeated)));
        assert!(matches!(fields(r#"{"a": 1, "b": 2, "a": 1}"#), Some(Field::Repeated)));
        assert!(matches!(
            fields(r#"{"\ud83d": "\ud83d", "a": 1e999}"#),
            Some(Field::Value("1e999"))
        ));
        for json in
            ["", "7", "[]", "null", r#""a""#, r#"{"a": 1"#, r#"{"a": 1} x"#, r#"{"a": tru}"#]
        {
            assert!(fields(json).is_none(), "{json}");
        }
    }

    #[test]
    fn what_is_no_unicode_is_replaced_and_then_not_exact() {
        for (json, shown) in [
            (r#""plain é""#, "plain é"),
            (r#""a\u00e9\ud83d\ude00\n""#, "aé😀\n"),
            (r#""half \ud83d.""#, "half \u{fffd}\u{fffd}\u{fffd}."),
            ("\"\u{fffd}\"", "\u{fffd}"),
        ] {
            assert_eq!(text(json).unwrap(), shown);
            assert_eq!(exact(json).is_some(), !shown.contains('\u{fffd}'), "{json}");
        }
        assert_eq!(body(b"a\xff"), "a\u{fffd}");
        for json in ["7", "null", "{}", r#"["a"]"#, "\""] {
            assert!(text(json).is_none(), "{json}");
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        let fits = "é".repeat(MAX_TEXT);
        assert_eq!(cut(&fits), fits);
        assert_eq!(cut(&format!("{fits}é")), fits);
        assert_eq!(kept(&format!("\"{fits}\\n\"")).unwrap(), fits.into());
    }
}
