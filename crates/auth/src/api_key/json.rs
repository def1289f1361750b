//! Keys as `aws apigateway get-api-keys --include-values` prints them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::file::{Entry, Fault};

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    List(Vec<serde_json::Value>),
    Page {
        #[serde(alias = "Items", alias = "item")]
        items: Vec<serde_json::Value>,
    },
}

/// What else the service prints of a key changes nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(alias = "Id")]
    id: Option<String>,
    #[serde(alias = "Value")]
    value: Option<String>,
    /// This project's own.
    previous_value: Option<String>,
    #[serde(alias = "Name")]
    name: Option<String>,
    #[serde(alias = "Description")]
    description: Option<String>,
    #[serde(alias = "CustomerId")]
    customer_id: Option<String>,
    /// The service takes a missing one for `false`.
    #[serde(alias = "Enabled", default)]
    enabled: bool,
    /// This project's own, after the column of the CSV.
    #[serde(default)]
    usage_plan_ids: Vec<String>,
    #[serde(alias = "Tags", default)]
    tags: Option<BTreeMap<String, String>>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
    let document = serde_json::from_str::<Document>(text).map_err(|error| {
        // Of a document that is JSON and neither shape, the library says no more.
        let problem = match error.classify() {
            serde_json::error::Category::Data => {
                "must be a list of keys, or an object with the list under `items`".to_owned()
            }
            _ => format!("is no JSON at line {}", error.line()),
        };
        Fault::new("the file", problem)
    })?;
    let items = match document {
        Document::List(items) | Document::Page { items } => items,
    };
    let entries = items.into_iter().enumerate().map(|(index, item)| {
        let place = format!("items[{index}]");
        // The library's words repeat what it found, which may be a key.
        let item = serde_json::from_value::<Item>(item)
            .map_err(|_| Fault::new(place.clone(), "has a member of the wrong type"))?;
        Ok(Entry {
            id: item.id,
            value: item.value,
            previous: item.previous_value,
            name: item.name,
            description: item.description,
            customer_id: item.customer_id,
            enabled: item.enabled,
            usage_plans: item.usage_plan_ids,
            tags: item.tags.into_iter().flatten().collect(),
            place,
        })
    });
    entries.collect()
}
