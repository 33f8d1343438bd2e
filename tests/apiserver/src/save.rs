//! The last steps of a write: what is kept, what is refused, what is stored.

use serde_json::{Value, json};

use crate::{
    builtin,
    failure::{Cause, Failure},
    json::Fields as _,
    managers::{Write, are_timeless_equal, bare, not_written},
    meta, validate,
    write::{Reply, Writing},
};

impl Writing<'_> {
    /// Puts back what a write of this resource, or of this subresource, does not change.
    pub fn keep_unwritten(&self, old: &Value, object: &mut Value) {
        let is_status = !self.manager.subresource.is_empty();
        let version = meta::text(object, "resourceVersion").to_owned();
        let managed = object.pointer("/metadata/managedFields").cloned();
        for place in not_written(self.kind, &self.manager.subresource) {
            let name = place.trim_start_matches("f:");
            object.put(name, old.get(name).cloned());
        }
        if is_status {
            object.at("metadata").set("resourceVersion", json!(version));
            object.at("metadata").put("managedFields", managed);
        }
    }

    /// Stores the next state of an object, if it is allowed and if it differs.
    pub fn save(&mut self, old: &Value, mut object: Value) -> Result<Value, Failure> {
        let (kind, name) = (self.kind, self.key.name.clone());
        match meta::text(&object, "resourceVersion") {
            "" if kind.unconditional_update => {
                object
                    .at("metadata")
                    .set("resourceVersion", json!(meta::text(old, "resourceVersion")));
            }
            "" => {
                let why = "must be specified for an update";
                let cause = Cause::invalid("metadata.resourceVersion", &json!(0), why);
                return Err(Failure::invalid_as(kind.group, kind.plural, &name, &[cause]));
            }
            version if version.parse::<u64>().is_err() => {
                let why = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
                return Err(Failure::new(500, "", why));
            }
            version if version == meta::text(old, "resourceVersion") => {}
            _ => return Err(Failure::modified(kind, &name)),
        }
        meta::check_namespace(&object, &self.key.namespace)?;
        meta::keep(old, &mut object);
        let is_changed = |object: &Value, other: &Value| {
            let rest = |object: &Value| {
                let mut rest = object.clone();
                rest.unset("metadata");
                rest.unset("status");
                rest
            };
            rest(object) != rest(other)
        };
        if kind.has_status && is_changed(&object, old) {
            let generation = old.pointer("/metadata/generation").and_then(Value::as_i64);
            object.at("metadata").set("generation", json!(generation.unwrap_or_default() + 1));
        }
        let mut causes = meta::check_update(old, &object);
        causes.extend(self.validate(&object, Some(old)));
        if !causes.is_empty() {
            return Err(Failure::invalid(kind, &name, &causes));
        }
        if meta::is_deleted(&object) && meta::finalizers(&object).is_empty() {
            self.store.delete(&self.key);
            return Ok(object);
        }
        let is_stored = !self.store.is_undefaulted(&self.key);
        if is_stored && bare(old) == bare(&object) && are_timeless_equal(old, &object) {
            return Ok(old.clone());
        }
        Ok(self.store.put(self.key.clone(), object))
    }

    pub fn delete(&mut self, options: &Value) -> Result<Reply, Failure> {
        let (kind, name) = (self.kind, self.key.name.clone());
        let Some(old) = self.store.get(&self.key).cloned() else {
            return Err(Failure::not_found(kind, &name));
        };
        meta::check_preconditions(kind, &name, options, &old)?;
        if meta::finalizers(&old).is_empty() {
            self.store.delete(&self.key);
            let mut details = kind.details(&name);
            details.set("uid", json!(meta::text(&old, "uid")));
            return Ok(Reply::ok(json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": details,
            })));
        }
        if meta::is_deleted(&old) {
            return Ok(Reply::ok(old));
        }
        let mut object = old;
        let now = self.store.clock.timestamp();
        let metadata = object.at("metadata");
        metadata.set("deletionTimestamp", json!(now));
        metadata.set("deletionGracePeriodSeconds", json!(0));
        if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
            metadata.set("generation", json!(generation + 1));
        }
        Ok(Reply::ok(self.store.put(self.key.clone(), object)))
    }

    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = meta::check_names(object);
        // A write of the status is validated below it.
        let place = if self.manager.subresource.is_empty() { "" } else { "status" };
        causes.extend(validate::validate(object, old, &self.kind.schema, place));
        causes.extend(builtin::check(self.kind, object, old));
        if !self.kind.built_in && causes.iter().any(Cause::stops_rules) {
            causes.retain(|cause| !cause.is_rule);
            causes.push(Cause::unchecked_rules());
        }
        causes
    }

    pub fn writer(&self) -> Write<'_> {
        Write { kind: self.kind, manager: &self.manager, time: self.store.clock.timestamp() }
    }
}
