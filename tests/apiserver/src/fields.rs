//! Sets of fields, as `managedFields` has them, and which fields differ between two objects.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value, json};

use crate::json::Fields as _;

/// From the root to a field; each element as in `fieldsV1`: `f:name`, `k:{"key":"value"}`, `v:value`.
pub(crate) type Path = Vec<String>;

/// Which fields somebody has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(pub BTreeSet<Path>);

/// How the items of a list are told apart.
pub(crate) enum List<'a> {
    /// They are not: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these fields.
    Map(Vec<&'a str>),
}

/// What a schema says of lists of this place.
pub(crate) fn list_of(schema: &Value) -> List<'_> {
    match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => List::Set,
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            List::Map(keys.into_iter().flatten().filter_map(Value::as_str).collect())
        }
        _ => List::Atomic,
    }
}

impl List<'_> {
    /// The element of a path that leads to this item.
    pub fn element(&self, item: &Value) -> String {
        match self {
            Self::Map(keys) => {
                let pairs = keys.iter().map(|&key| (key, item.get(key).unwrap_or(&Value::Null)));
                format!("k:{}", json!(pairs.collect::<std::collections::BTreeMap<_, _>>()))
            }
            _ => format!("v:{item}"),
        }
    }
}

/// The schema of a field, and whether it is one of a map with any keys.
pub(crate) fn child<'a>(schema: &'a Value, name: &str) -> (&'a Value, bool) {
    match schema.get("properties").and_then(|properties| properties.get(name)) {
        Some(field) => (field, false),
        None => (schema.get("additionalProperties").unwrap_or(&Value::Null), true),
    }
}

pub(crate) fn items(schema: &Value) -> &Value {
    schema.get("items").unwrap_or(&Value::Null)
}

/// Whether it is taken and left as a whole.
pub(crate) fn is_atomic(schema: &Value, value: &Value) -> bool {
    match value {
        Value::Object(_) => {
            schema.get("x-kubernetes-map-type").is_some_and(|kind| kind == "atomic")
        }
        Value::Array(_) => matches!(list_of(schema), List::Atomic),
        _ => true,
    }
}

/// The path with one element more.
pub(crate) fn below(path: &[String], element: String) -> Path {
    let mut path = path.to_vec();
    path.push(element);
    path
}

impl FieldSet {
    /// The fields of a value that somebody applies.
    pub fn of(value: &Value, schema: &Value) -> Self {
        let mut set = Self::default();
        set.add(value, schema, &[]);
        set
    }

    fn add(&mut self, value: &Value, schema: &Value, path: &[String]) {
        match value {
            Value::Object(fields) if !is_atomic(schema, value) => {
                for (name, field) in fields {
                    let (schema, is_any) = child(schema, name);
                    let path = below(path, format!("f:{name}"));
                    self.add(field, schema, &path);
                    if is_any || field.as_object().is_some_and(Map::is_empty) {
                        self.0.insert(path);
                    }
                }
            }
            Value::Array(list) if !is_atomic(schema, value) => {
                let kind = list_of(schema);
                for item in list {
                    let path = below(path, kind.element(item));
                    self.add(item, items(schema), &path);
                    self.0.insert(path);
                }
            }
            _ => {
                self.0.insert(path.to_vec());
            }
        }
    }

    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// Without what is at these places and below them.
    pub fn outside(&self, places: &[&str]) -> Self {
        let is_outside = |path: &&Path| {
            path.first().is_none_or(|first| !places.iter().any(|place| first == place))
        };
        Self(self.0.iter().filter(is_outside).cloned().collect())
    }

    /// With every named field that leads to one of them. An item of a list is none.
    pub fn with_parents(&self) -> Self {
        let mut all = self.0.clone();
        for path in &self.0 {
            let parents = (1..path.len()).filter_map(|length| path.get(..length));
            let is_named =
                |parent: &&[String]| parent.last().is_some_and(|element| element.starts_with("f:"));
            all.extend(parents.filter(is_named).map(<[_]>::to_vec));
        }
        Self(all)
    }

    pub fn to_v1(&self) -> Value {
        let mut root = json!({});
        for path in &self.0 {
            node(&mut root, path);
        }
        for path in &self.0 {
            let node = node(&mut root, path);
            if !node.is_empty() {
                node.insert(".".to_owned(), json!({}));
            }
        }
        root
    }

    pub fn from_v1(v1: &Value) -> Self {
        let mut set = Self::default();
        set.read(v1, &[]);
        set
    }

    fn read(&mut self, v1: &Value, path: &[String]) {
        let fields = v1.as_object();
        if fields.is_none_or(Map::is_empty) && !path.is_empty() {
            self.0.insert(path.to_vec());
        }
        for (name, field) in fields.into_iter().flatten() {
            match name.as_str() {
                "." => {
                    self.0.insert(path.to_vec());
                }
                _ => self.read(field, &below(path, name.clone())),
            }
        }
    }
}

fn node<'a>(mut at: &'a mut Value, path: &Path) -> &'a mut Map<String, Value> {
    for element in path {
        at = at.at(element);
    }
    at.fields()
}

/// As messages show a path: `.status.conditions[type="Ready"].reason`.
pub(crate) fn show(path: &Path) -> String {
    let mut shown = String::new();
    for element in path {
        let (kind, rest) = element.split_at(2.min(element.len()));
        let written = match kind {
            "f:" => write!(shown, ".{rest}"),
            "k:" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
                let keys: Vec<_> =
                    keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(shown, "[{}]", keys.join(","))
            }
            _ => write!(shown, "[={rest}]"),
        };
        debug_assert!(written.is_ok(), "a String takes everything");
    }
    shown
}

/// How one object differs from another.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub added: FieldSet,
    pub removed: FieldSet,
    pub modified: FieldSet,
}

impl Comparison {
    pub fn of(old: &Value, new: &Value, schema: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.compare(Some(old), Some(new), schema, &[]);
        comparison
    }

    pub fn outside(&self, places: &[&str]) -> Self {
        Self {
            added: self.added.outside(places),
            removed: self.removed.outside(places),
            modified: self.modified.outside(places),
        }
    }

    fn compare(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        schema: &Value,
        path: &[String],
    ) {
        let mut sides = [old, new].into_iter().flatten().filter(|side| !side.is_null()).peekable();
        // A null is an empty container where the other side is one.
        let is_container = sides.peek().is_some()
            && sides.all(|side| (side.is_object() || side.is_array()) && !is_atomic(schema, side));
        let is_empty = [old, new].into_iter().flatten().all(|value| {
            value.as_object().is_none_or(Map::is_empty)
                && value.as_array().is_none_or(Vec::is_empty)
        });
        if is_container && !is_empty {
            self.compare_inside(old, new, schema, path);
        }
        if path.is_empty() {
            return;
        }
        let set = match (old, new) {
            (None, Some(_)) => &mut self.added,
            (Some(_), None) => &mut self.removed,
            (Some(old), Some(new)) if (!is_container || is_empty) && old != new => {
                &mut self.modified
            }
            _ => return,
        };
        set.0.insert(path.to_vec());
    }

    fn compare_inside(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        schema: &Value,
        path: &[String],
    ) {
        let fields = |value: Option<&Value>| -> BTreeSet<String> {
            value.and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect()
        };
        for name in fields(old).union(&fields(new)) {
            let field = |value: Option<&Value>| value.and_then(|value| value.get(name)).cloned();
            let path = below(path, format!("f:{name}"));
            self.compare(field(old).as_ref(), field(new).as_ref(), child(schema, name).0, &path);
        }
        let list =
            |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let (old, new, kind) = (list(old), list(new), list_of(schema));
        let elements = |list: &[Value]| -> Vec<String> {
            list.iter().map(|item| kind.element(item)).collect()
        };
        let (of_old, of_new) = (elements(&old), elements(&new));
        let all: BTreeSet<_> = of_old.iter().chain(&of_new).collect();
        for element in all {
            let item = |elements: &[String], list: &[Value]| {
                let at = elements.iter().position(|it| it == element)?;
                list.get(at).cloned()
            };
            let path = below(path, element.clone());
            let (old, new) = (item(&of_old, &old), item(&of_new, &new));
            self.compare(old.as_ref(), new.as_ref(), items(schema), &path);
        }
    }
}
