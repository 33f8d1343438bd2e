//! Writes: create, update, patch and delete, with everything that the real server does on the way.

use serde_json::{Value, json};

use crate::{
    builtin,
    failure::{Cause, Failure},
    json::Fields as _,
    kind::Kind,
    managers::Manager,
    meta,
    request::Request,
    schema,
    store::{Key, Store},
    typed,
};

/// An answer that is not an error.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

impl Reply {
    pub fn ok(body: Value) -> Self {
        Self { code: 200, body, warnings: Vec::new() }
    }

    fn with(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }
}

/// One write on its way.
pub(crate) struct Writing<'a> {
    pub store: &'a mut Store,
    pub kind: &'static Kind,
    pub key: Key,
    pub manager: Manager,
    validation: String,
}

/// Does what a request asks.
pub(crate) fn write(store: &mut Store, request: &Request) -> Result<Reply, Failure> {
    let kind = request.kind;
    let namespace = request.namespace.clone().unwrap_or_default();
    let key = Key { plural: kind.plural, namespace, name: request.name.clone() };
    let validation = match request.query("fieldValidation") {
        "" => "Warn".to_owned(),
        other => other.to_owned(),
    };
    let mut writing = Writing { store, kind, key, manager: request.manager(), validation };
    match request.verb {
        crate::Verb::Create => writing.create(request.body.clone()),
        crate::Verb::Update => writing.update(request.body.clone()),
        crate::Verb::Patch if request.is_apply() => writing.apply(request),
        crate::Verb::Patch => writing.patch(request),
        _ => writing.delete(&request.body),
    }
}

impl Writing<'_> {
    /// Drops unknown fields and sets defaults; unknown fields are an error, a warning or nothing.
    fn decode(&self, object: &mut Value) -> Result<Vec<String>, Failure> {
        if let Some(time) = builtin::bad_time(object, &self.kind.schema) {
            return Err(Failure::bad_request(time));
        }
        let unknown = schema::prune(object, &self.kind.schema, "");
        schema::drop_nulls(object, &self.kind.schema);
        meta::drop_empty(object);
        schema::default(object, &self.kind.schema);
        let unknown: Vec<_> =
            unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        match (unknown.as_slice(), self.validation.as_str()) {
            ([], _) | (_, "Ignore") => Ok(Vec::new()),
            (_, "Strict") => {
                Err(Failure::bad_request(format!("strict decoding error: {}", unknown.join(", "))))
            }
            _ => Ok(unknown),
        }
    }

    fn create(&mut self, mut object: Value) -> Result<Reply, Failure> {
        meta::check_type(self.kind, &object)?;
        let warnings = self.decode(&mut object).map_err(|failure| {
            let Kind { name, version, .. } = self.kind;
            let prefix = format!("{name} in version {version:?} cannot be handled as a {name}: ");
            Failure { message: prefix + &failure.message, ..failure }
        })?;
        if !meta::text(&object, "resourceVersion").is_empty() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Failure::new(500, "", message));
        }
        let created = self.insert(object, None)?;
        Ok(Reply { code: 201, ..Reply::ok(created) }.with(warnings))
    }

    /// Stores an object that was not there; `managed`: with its managers already.
    fn insert(&mut self, mut object: Value, managed: Option<Value>) -> Result<Value, Failure> {
        let generated = meta::text(&object, "generateName").to_owned();
        if meta::text(&object, "name").is_empty() && !generated.is_empty() {
            object.at("metadata").set("name", json!(generated + &self.store.fresh_suffix()));
        }
        meta::check_namespace(&object, &self.key.namespace)?;
        self.key.name = meta::text(&object, "name").to_owned();
        meta::begin(&mut object, self.kind, &self.key, self.store);
        if self.kind.has_status {
            object.unset("status");
        }
        let causes = self.validate(&object, None);
        if !causes.is_empty() {
            return Err(Failure::invalid(self.kind, &self.key.name, &causes));
        }
        if let Some(old) = self.store.get(&self.key) {
            let mut failure = Failure::already_exists(self.kind, &self.key.name);
            if meta::is_deleted(old) {
                failure.message.insert_str(0, "object is being deleted: ");
            }
            return Err(failure);
        }
        if let Some(managed) = managed {
            object.at("metadata").set("managedFields", managed);
        } else {
            let mut nothing = json!({});
            if self.kind.built_in {
                // A Go type begins with what it always writes.
                schema::default(&mut nothing, &self.kind.schema);
            }
            self.writer().update(&nothing, &mut object);
        }
        let bare = object.clone();
        schema::default(&mut object, &self.kind.schema);
        let has_defaults = object != bare;
        let stored = self.store.put(self.key.clone(), object);
        if has_defaults {
            self.store.mark_undefaulted(self.key.clone());
        }
        Ok(stored)
    }

    fn update(&mut self, mut object: Value) -> Result<Reply, Failure> {
        meta::check_type(self.kind, &object)?;
        meta::check_name(&object, &self.key)?;
        let warnings = self.decode(&mut object)?;
        let Some(old) = self.store.get(&self.key).cloned() else {
            if self.kind.built_in && self.manager.subresource.is_empty() {
                return Ok(Reply { code: 201, ..Reply::ok(self.insert(object, None)?) });
            }
            return Err(Failure::not_found(self.kind, &self.key.name));
        };
        let (given, uid) = (meta::text(&object, "uid"), meta::text(&old, "uid"));
        if !given.is_empty() && given != uid {
            let path =
                if self.kind.built_in { String::new() } else { format!("{}/", self.kind.group) };
            let key =
                format!("{path}{}/{}/{}", self.kind.plural, self.key.namespace, self.key.name);
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, UID in object meta: {uid}"
            );
            return Err(Failure::conflict(self.kind, &self.key.name, &why));
        }
        self.keep_unwritten(&old, &mut object);
        self.writer().update(&old, &mut object);
        Ok(Reply::ok(self.save(&old, object)?).with(warnings))
    }

    fn patch(&mut self, request: &Request) -> Result<Reply, Failure> {
        let Some(old) = self.store.get(&self.key).cloned() else {
            return Err(Failure::not_found(self.kind, &self.key.name));
        };
        if !request.query("force").is_empty() {
            let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
            return Err(Failure::invalid_as("meta.k8s.io", "PatchOptions", "", &[cause]));
        }
        let mut object = old.clone();
        match request.content_type.as_str() {
            "application/merge-patch+json" => json_patch::merge(&mut object, &request.body),
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_value(request.body.clone())
                    .map_err(|error| Failure::bad_request(error.to_string()))?;
                json_patch::patch(&mut object, &patch).map_err(|_| meta::rejected_patch())?;
            }
            "application/strategic-merge-patch+json" if self.kind.built_in => {
                return Err(Failure::not_implemented("strategic merge patches"));
            }
            _ => return Err(meta::unsupported_media_type()),
        }
        meta::check_name(&object, &self.key)?;
        let patched = object.to_string();
        let warnings = self.decode(&mut object).map_err(|failure| {
            let cause = Cause::invalid("patch", &json!(patched), &failure.message);
            Failure::invalid_as("", "", "", &[cause])
        })?;
        self.keep_unwritten(&old, &mut object);
        self.writer().update(&old, &mut object);
        Ok(Reply::ok(self.save(&old, object)?).with(warnings))
    }

    fn apply(&mut self, request: &Request) -> Result<Reply, Failure> {
        let invalid = |cause| Failure::invalid_as("meta.k8s.io", "PatchOptions", "", &[cause]);
        if request.query("fieldManager").is_empty() {
            return Err(invalid(Cause::required("fieldManager", "is required for apply patch")));
        }
        let old = self.store.get(&self.key).cloned();
        if old.is_none() && !self.manager.subresource.is_empty() {
            return Err(Failure::not_found(self.kind, &self.key.name));
        }
        let mut applied = request.body.clone();
        if !applied.to_string().chars().all(is_yaml) {
            const WHY: &str = "error decoding patch: error converting YAML to JSON: yaml: control characters are not allowed";
            return Err(Failure::bad_request(WHY));
        }
        meta::check_applied(self.kind, &applied, &self.key)?;
        if let Some(why) = typed::untyped(&applied, &self.kind.schema, "") {
            return Err(meta::untyped(self.kind, &applied, &why));
        }
        applied.at("metadata").fields();
        let force = request.query("force") == "true";
        let nothing = json!({
            "apiVersion": self.kind.api_version(), "kind": self.kind.name, "metadata": {},
        });
        let live = old.as_ref().unwrap_or(&nothing);
        let mut object = self.writer().apply(live, &applied, force)?;
        schema::default(&mut object, &self.kind.schema);
        let Some(old) = old else {
            if !meta::text(&object, "uid").is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {}, and no existing object was found",
                    meta::text(&object, "uid")
                );
                return Err(Failure::conflict(self.kind, &self.key.name, &why));
            }
            if meta::text(&object, "name").is_empty() {
                return Err(Failure::bad_request(format!(
                    "the name of the object ({} based on URL) was undeterminable: name must be provided",
                    self.key.name
                )));
            }
            let managed = object.pointer("/metadata/managedFields").cloned();
            let created = self.insert(object, managed)?;
            return Ok(Reply { code: 201, ..Reply::ok(created) });
        };
        self.keep_unwritten(&old, &mut object);
        Ok(Reply::ok(self.save(&old, object)?))
    }
}

/// Whether YAML may have this character as it is; JSON escapes those below the space.
fn is_yaml(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}
