//! An object as a watch brings it. One that cannot be read must not stop a list, and has a name none the less. kube's
//! `DeserializeGuard` keeps that promise too, but reads the whole object twice; most of an object is about who manages which
//! field, and nobody here asks for that.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Resource,
    core::{ObjectMeta, error_boundary::InvalidObject},
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::QoderDeployment;

/// A resource, or why it cannot be read. Of its metadata it has what the operator asks for.
#[derive(Debug, Clone)]
pub struct Watched(pub Result<QoderDeployment, InvalidObject>);

/// An object whose parts may be anything.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    status: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    generation: Option<i64>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
}

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { metadata, spec, status } = Parts::deserialize(deserializer)?;
        let metadata = metadata.into();
        let parts = Deserialize::deserialize(&spec).and_then(|spec| {
            Ok((spec, status.as_ref().map(Deserialize::deserialize).transpose()?))
        });
        Ok(Self(match parts {
            Ok((spec, status)) => Ok(QoderDeployment { metadata, spec, status }),
            Err(error) => Err(InvalidObject { error: error.to_string(), metadata }),
        }))
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        Self {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            generation: metadata.generation,
            resource_version: metadata.resource_version,
            creation_timestamp: metadata.creation_timestamp,
            deletion_timestamp: metadata.deletion_timestamp,
            annotations: metadata.annotations,
            ..Self::default()
        }
    }
}

impl Resource for Watched {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        QoderDeployment::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        QoderDeployment::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        QoderDeployment::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        QoderDeployment::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, Resource::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, Resource::meta_mut)
    }
}

#[cfg(test)]
#[path = "watched_tests.rs"]
mod tests;
