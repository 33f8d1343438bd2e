//! Who has which field: `metadata.managedFields`, kept on each write.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    failure::Failure,
    fields::{Comparison, FieldSet, show},
    json::Fields as _,
    kind::Kind,
    merge::{merge, prune},
};

/// Who writes: what tells one entry of `managedFields` from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    /// `Apply` or `Update`; entries are sorted by it first.
    pub operation: String,
    pub name: String,
    pub subresource: String,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    time: Option<String>,
    fields: FieldSet,
}

/// All entries of an object.
#[derive(Debug, Clone, Default)]
struct Entries(BTreeMap<Manager, Entry>);

/// Nobody has these: the server writes them.
const NOBODYS: [&[&str]; 11] = [
    &["f:apiVersion"],
    &["f:kind"],
    &["f:metadata"],
    &["f:metadata", "f:name"],
    &["f:metadata", "f:namespace"],
    &["f:metadata", "f:creationTimestamp"],
    &["f:metadata", "f:selfLink"],
    &["f:metadata", "f:uid"],
    &["f:metadata", "f:generation"],
    &["f:metadata", "f:managedFields"],
    &["f:metadata", "f:resourceVersion"],
];

/// What a write does not change, so that its writer does not get it.
pub(crate) fn not_written(kind: &Kind, subresource: &str) -> &'static [&'static str] {
    match (kind.has_status, subresource) {
        (true, "") => &["f:status"],
        (true, _) => &["f:metadata", "f:spec"],
        (false, _) => &[],
    }
}

/// A write.
pub(crate) struct Write<'a> {
    pub kind: &'static Kind,
    pub manager: &'a Manager,
    /// Now, as in `time`.
    pub time: String,
}

impl Write<'_> {
    fn not_written(&self) -> &'static [&'static str] {
        not_written(self.kind, &self.manager.subresource)
    }

    /// Keeps the entries of `new`, which somebody has made of `old` in any way but an apply.
    pub fn update(&self, old: &Value, new: &mut Value) {
        let mut entries = Entries::read(old);
        let (bare_old, bare_new) = (bare(old), bare(new));
        let compared = Comparison::of(&bare_old, &bare_new, &self.kind.schema);
        let compared = compared.outside(self.not_written());
        let taken = compared.modified.union(&compared.added);
        entries.take_away(&taken.union(&compared.removed));
        let taken = taken.without(&nobodys());
        if !taken.0.is_empty() {
            let entry = entries.0.entry(self.manager.clone()).or_default();
            entry.fields = entry.fields.union(&taken);
            entry.time = Some(self.time.clone());
        }
        entries.write(new, self.kind);
    }

    /// What `old` becomes when this manager applies `applied`.
    pub fn apply(&self, old: &Value, applied: &Value, force: bool) -> Result<Value, Failure> {
        let schema = &self.kind.schema;
        let mut entries = Entries::read(old);
        let old = bare(old);
        let mut new = merge(Some(&old), Some(applied), schema).unwrap_or_default();

        let last = entries.0.remove(self.manager);
        let fields = FieldSet::of(applied, schema).outside(self.not_written());
        if let Some(last) = &last {
            let others = entries.0.values();
            let claimed = others.fold(fields.clone(), |all, entry| all.union(&entry.fields));
            new = prune(&new, &last.fields, &claimed, schema);
        }

        let compared = Comparison::of(&old, &new, schema).outside(self.not_written());
        let taken = compared.modified.union(&compared.added);
        if !force {
            entries.refuse_conflicts(&taken, self.kind)?;
        }
        entries.take_away(&taken);
        entries.take_away(&compared.removed);

        let is_unchanged = old == new;
        let time =
            if is_unchanged { last.and_then(|last| last.time) } else { Some(self.time.clone()) };
        let fields = fields.without(&nobodys());
        entries.0.insert(self.manager.clone(), Entry { time, fields });
        entries.write(&mut new, self.kind);
        Ok(new)
    }
}

/// Without `managedFields`.
pub(crate) fn bare(object: &Value) -> Value {
    let mut bare = object.clone();
    if bare.get("metadata").is_some() {
        bare.at("metadata").unset("managedFields");
    }
    bare
}

fn nobodys() -> FieldSet {
    let paths = NOBODYS.iter().map(|path| path.iter().map(ToString::to_string).collect());
    FieldSet(paths.collect())
}

/// Whether two lists of `managedFields` say the same but for the times.
pub(crate) fn are_timeless_equal(one: &Value, other: &Value) -> bool {
    let timeless = |object: &Value| {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array).cloned();
        let mut entries = entries.unwrap_or_default();
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("time");
        }
        entries.sort_by_key(ToString::to_string);
        entries
    };
    timeless(one) == timeless(other)
}

impl Entries {
    fn read(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let read = |entry: &Value| {
            let text =
                |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let manager = Manager {
                operation: text("operation"),
                name: text("manager"),
                subresource: text("subresource"),
            };
            let fields = FieldSet::from_v1(entry.get("fieldsV1").unwrap_or(&Value::Null));
            let time = entry.get("time").and_then(Value::as_str).map(ToOwned::to_owned);
            (manager, Entry { time, fields })
        };
        Self(entries.into_iter().flatten().map(read).collect())
    }

    /// Writes those who have anything, sorted as the real server does: by operation, then by time.
    fn write(self, object: &mut Value, kind: &Kind) {
        let mut entries: Vec<_> =
            self.0.into_iter().filter(|(_, entry)| !entry.fields.0.is_empty()).collect();
        entries.sort_by(|(one, a), (other, b)| {
            (&one.operation, &a.time, &one.name).cmp(&(&other.operation, &b.time, &other.name))
        });
        let entries = entries.into_iter().map(|(manager, entry)| {
            let mut shown = json!({
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": kind.api_version(),
                "fieldsType": "FieldsV1",
                "fieldsV1": entry.fields.to_v1(),
            });
            if let Some(time) = entry.time {
                shown.set("time", json!(time));
            }
            if !manager.subresource.is_empty() {
                shown.set("subresource", json!(manager.subresource));
            }
            shown
        });
        let entries: Vec<_> = entries.collect();
        let entries = (!entries.is_empty()).then(|| json!(entries));
        object.at("metadata").put("managedFields", entries);
    }

    fn take_away(&mut self, fields: &FieldSet) {
        for entry in self.0.values_mut() {
            entry.fields = entry.fields.without(fields);
        }
    }

    fn refuse_conflicts(&self, taken: &FieldSet, kind: &Kind) -> Result<(), Failure> {
        let mut conflicts = Vec::new();
        for (manager, entry) in &self.0 {
            let of_manager = entry.fields.common(taken);
            conflicts.extend(of_manager.0.iter().map(|path| (manager.shown(kind), show(path))));
        }
        let message = match conflicts.as_slice() {
            [] => return Ok(()),
            [(manager, path)] => {
                format!("Apply failed with 1 conflict: conflict with {manager}: {path}")
            }
            many => {
                let mut by_manager = BTreeMap::<_, Vec<_>>::new();
                for (manager, path) in many {
                    by_manager.entry(manager).or_default().push(format!("- {path}"));
                }
                let lines = by_manager.into_iter().map(|(manager, paths)| {
                    format!("conflicts with {manager}:\n{}", paths.join("\n"))
                });
                let lines: Vec<_> = lines.collect();
                format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
            }
        };
        let causes = conflicts.iter().map(|(manager, path)| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {manager}"),
                "field": path,
            })
        });
        let causes: Vec<_> = causes.collect();
        Err(Failure::new(409, "Conflict", message).with(json!({"causes": causes})))
    }
}

impl Manager {
    /// As messages name it.
    fn shown(&self, kind: &Kind) -> String {
        let mut shown = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            shown = format!("{shown} with subresource {:?}", self.subresource);
        }
        if self.operation == "Update" {
            shown = format!("{shown} using {}", kind.api_version());
        }
        shown
    }
}
