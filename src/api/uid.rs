//! The uid of an object.

use std::{fmt, sync::Arc};

use uuid::Uuid;

/// The uid of an object. An API server gives each a UUID, and as a number it takes a quarter of the room: ten thousand
/// of these are kept. Any other text is kept as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Form);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Uuid(Uuid),
    Text(Arc<str>),
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        let uuid = Uuid::try_parse(text).ok();
        // One UUID has several texts, and each of them is another uid.
        let usual = uuid
            .filter(|uuid| *uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *text);
        Self(usual.map_or_else(|| Form::Text(text.into()), Form::Uuid))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(uuid) => uuid.hyphenated().fmt(f),
            Form::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn a_uid_is_the_text_that_it_was() {
        let upper = UUID.to_uppercase();
        let simple = UUID.replace('-', "");
        for text in [UUID, &upper, &simple, &format!("{{{UUID}}}"), "", "u", "é"] {
            let uid = Uid::from(text);
            assert_eq!(uid.to_string(), text);
            assert_eq!(uid, Uid::from(text));
            assert_eq!(uid == Uid::from(UUID), text == UUID, "{text}");
        }
    }

    #[test]
    fn uids_are_in_the_order_of_their_texts() {
        let another = UUID.replace("0f8f", "f08f");
        assert!(Uid::from(UUID) < Uid::from(another.as_str()));
        assert!(Uid::from("1") < Uid::from("2"));
    }
}
