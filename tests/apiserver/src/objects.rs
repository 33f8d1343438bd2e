//! Objects as users see and change them: at once, without a client, and in no journal.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    failure::Failure,
    json::Fields as _,
    kind::Kind,
    meta,
    request::{Request, Verb},
    server::ApiServer,
    store::Key,
};

/// The objects of one kind.
#[derive(Clone)]
pub struct Objects {
    pub(crate) server: ApiServer,
    pub(crate) kind: &'static Kind,
}

impl Objects {
    /// One of them.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Value> {
        self.server.state().store.get(&self.key(namespace, name)).cloned()
    }

    /// All of them, in order.
    #[must_use]
    pub fn list(&self) -> Vec<Value> {
        let state = self.server.state();
        let list = state.store.list(self.kind, None).into_iter();
        list.map(|(_, object)| object.clone()).collect()
    }

    /// Waits until one of them is as a test expects it.
    pub async fn until(
        &self,
        namespace: &str,
        name: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut changes = self.server.state().told.subscribe();
        loop {
            if let Some(object) = self.get(namespace, name).filter(&holds) {
                return object;
            }
            if changes.changed().await.is_err() {
                // The server is held by this handle, so it does not come to this.
                std::future::pending::<()>().await;
            }
        }
    }

    /// `kubectl create`. The manifest needs no `apiVersion` and no `kind`.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn create(&self, manifest: Value) -> Result<Value, Failure> {
        self.send(Verb::Create, manifest, "application/json", &[("fieldManager", "kubectl-create")])
    }

    /// `kubectl apply --server-side --force-conflicts`, which creates or changes. The manifest needs
    /// no `apiVersion` and no `kind`.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn apply(&self, manifest: Value) -> Result<Value, Failure> {
        let query = [("fieldManager", "kubectl"), ("force", "true"), ("fieldValidation", "Strict")];
        self.send(Verb::Patch, manifest, "application/apply-patch+yaml", &query)
    }

    /// `kubectl edit`: changes an object in any way.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn edit(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Failure> {
        let mut object = self.found(namespace, name)?;
        change(&mut object);
        self.send(Verb::Update, object, "application/json", &[("fieldManager", "kubectl-edit")])
    }

    /// The same with its status, as another controller would.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn edit_status(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Failure> {
        let mut object = self.found(namespace, name)?;
        change(object.at("status"));
        let mut request = self.request(Verb::Update, object, &[("fieldManager", "kubectl-edit")]);
        "status".clone_into(&mut request.subresource);
        self.serve(&request)
    }

    fn found(&self, namespace: &str, name: &str) -> Result<Value, Failure> {
        self.get(namespace, name).ok_or_else(|| Failure::not_found(self.kind, name))
    }

    /// `kubectl annotate --overwrite`.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn annotate(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<Value, Failure> {
        self.edit(namespace, name, |object| {
            object.at("metadata").at("annotations").set(key, json!(value));
        })
    }

    /// `kubectl delete --wait=false`.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn delete(&self, namespace: &str, name: &str) -> Result<(), Failure> {
        let object = json!({"metadata": {"namespace": namespace, "name": name}});
        let mut request = self.request(Verb::Delete, object, &[]);
        request.body = Value::Null;
        self.serve(&request).map(drop)
    }

    /// Stores an object as it is, whatever the schema says: what an older CRD has let in.
    pub fn smuggle(&self, mut object: Value) {
        let mut state = self.server.state();
        let key = self.key(meta::text(&object, "namespace"), meta::text(&object, "name"));
        object.set("apiVersion", json!(self.kind.api_version()));
        object.set("kind", json!(self.kind.name));
        meta::begin(&mut object, self.kind, &key, &mut state.store);
        state.store.put(key, object);
        state.tell();
    }

    fn key(&self, namespace: &str, name: &str) -> Key {
        Key { plural: self.kind.plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn send(
        &self,
        verb: Verb,
        manifest: Value,
        content_type: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let mut request = self.request(verb, manifest, query);
        content_type.clone_into(&mut request.content_type);
        self.serve(&request)
    }

    fn request(&self, verb: Verb, mut object: Value, query: &[(&str, &str)]) -> Request {
        object.set("apiVersion", json!(self.kind.api_version()));
        object.set("kind", json!(self.kind.name));
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Request {
            verb,
            kind: self.kind,
            namespace: Some(meta::text(&object, "namespace").to_owned()),
            name: meta::text(&object, "name").to_owned(),
            subresource: String::new(),
            query: pairs.collect::<BTreeMap<_, _>>(),
            content_type: String::new(),
            user_agent: String::new(),
            body: object,
        }
    }

    fn serve(&self, request: &Request) -> Result<Value, Failure> {
        self.server.state().serve(request).map(|reply| reply.body)
    }
}
