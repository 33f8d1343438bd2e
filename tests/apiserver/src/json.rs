//! Sets fields of JSON objects by name, without a way to panic.

use serde_json::{Map, Value};

/// A value as an object: what is none becomes one.
pub(crate) trait Fields {
    fn fields(&mut self) -> &mut Map<String, Value>;

    /// The field, null where it was absent.
    fn at(&mut self, name: &str) -> &mut Value {
        self.fields().entry(name).or_insert(Value::Null)
    }

    fn set(&mut self, name: &str, value: Value) {
        self.fields().insert(name.to_owned(), value);
    }

    fn unset(&mut self, name: &str) {
        self.fields().remove(name);
    }

    /// Sets it, or removes it.
    fn put(&mut self, name: &str, value: Option<Value>) {
        match value {
            Some(value) => self.set(name, value),
            None => self.unset(name),
        }
    }
}

impl Fields for Value {
    fn fields(&mut self) -> &mut Map<String, Value> {
        if !self.is_object() {
            *self = Self::Object(Map::new());
        }
        match self {
            Self::Object(fields) => fields,
            _ => unreachable!("it has just become an object"),
        }
    }
}
