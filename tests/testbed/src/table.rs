//! What `kubectl get` prints, from the table that the API server itself makes.

use std::fmt::{self, Write};

use anyhow::Context;
use http::Request;
use http::header::ACCEPT;
use kube::{Client, Resource};
use qoder_operator::api::QoderDeployment;
use serde::Deserialize;
use serde_json::Value;

use crate::Result;

/// The resources of one namespace as the API server shows them. [`Display`](fmt::Display) is
/// `kubectl get`, the alternate form `{:#}` is `kubectl get -o wide`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    column_definitions: Vec<Column>,
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize)]
struct Column {
    name: String,
    /// 0 is shown always, more only in the wide form.
    #[serde(default)]
    priority: i32,
}

#[derive(Clone, Debug, Deserialize)]
struct Row {
    cells: Vec<Value>,
}

/// Between two columns, as kubectl has it.
const PADDING: usize = 3;

impl Table {
    /// The table of a namespace now.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn get(client: &Client, namespace: &str) -> Result<Self> {
        let request = Request::get(QoderDeployment::url_path(&(), Some(namespace)))
            .header(ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io")
            .body(Vec::new())?;
        client.request(request).await.context("failed to get the table")
    }

    /// Titles and cells, as text.
    fn lines(&self, wide: bool) -> Vec<Vec<String>> {
        let columns = self.column_definitions.iter();
        let shown: Vec<bool> = columns.map(|column| wide || column.priority == 0).collect();
        let titles = self.column_definitions.iter().map(|column| column.name.to_uppercase());
        let rows = self.rows.iter().map(|row| row.cells.iter().map(text).collect());
        let lines = std::iter::once(titles.collect()).chain(rows);
        let only_shown = |line: Vec<String>| {
            line.into_iter()
                .zip(&shown)
                .filter(|(_, shown)| **shown)
                .map(|(cell, _)| cell)
                .collect()
        };
        lines.map(only_shown).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines(f.alternate());
        let mut widths: Vec<usize> = Vec::new();
        for line in &lines {
            widths.resize(widths.len().max(line.len()), 0);
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for line in &lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                write!(text, "{cell:width$}", width = width + PADDING)?;
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn text(cell: &Value) -> String {
    match cell {
        Value::Null => "<none>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_as_kubectl_aligns_them() -> Result<()> {
        let table: Table = serde_json::from_value(json!({
            "columnDefinitions": [
                {"name": "Name", "priority": 0}, {"name": "Ready"}, {"name": "Note", "priority": 1}, {"name": "Age"},
            ],
            "rows": [
                {"cells": ["nightly-report", "True", null, "5s"]},
                {"cells": ["b", "", 3, "12m"]},
            ],
        }))?;
        let default = "\
NAME             READY   AGE
nightly-report   True    5s
b                        12m
";
        let wide = "\
NAME             READY   NOTE     AGE
nightly-report   True    <none>   5s
b                        3        12m
";
        assert_eq!(format!("{table}"), default);
        assert_eq!(format!("{table:#}"), wide);
        Ok(())
    }

    #[test]
    fn no_rows_leave_the_titles() -> Result<()> {
        let table: Table =
            serde_json::from_value(json!({"columnDefinitions": [{"name": "Name"}], "rows": []}))?;
        assert_eq!(table.to_string(), "NAME\n");
        Ok(())
    }
}
