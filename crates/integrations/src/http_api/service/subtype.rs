//! The AWS services that an HTTP API calls without a function in between, and what each wants to know.

/// One value of an integration's `integrationSubtype`.
#[derive(Debug)]
pub(super) struct Subtype {
    pub(super) name: &'static str,
    /// The first label of the service's host.
    pub(super) host: &'static str,
    pub(super) call: Call,
    pub(super) parameters: &'static [Parameter],
}

/// How the service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A body in JSON, and the action in `X-Amz-Target`.
    Json {
        target: &'static str,
        content_type: &'static str,
    },
    /// The same, with the parameters as the one member of the list `Entries`.
    JsonEntry {
        target: &'static str,
        content_type: &'static str,
    },
    /// A form with `Action` and `Version`; the answer is XML.
    Form {
        action: &'static str,
        version: &'static str,
    },
    /// `GET` of an application's configuration.
    Configuration,
}

/// One of the names in `requestParameters`.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Its name on the wire. Those of forms that are lists are numbered.
    pub(super) wire: &'static str,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// What a parameter's text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    /// A text that is JSON itself, and is sent as a text.
    JsonText,
    Number,
    /// A JSON list of texts, or texts with commas between them.
    List,
    /// A JSON object of objects: by name, a data type and a value.
    Attributes,
    /// RFC 3339, or seconds since 1970.
    Time,
}

/// The parameter that all have.
pub(super) const REGION: &str = "Region";

pub(super) fn find(name: &str) -> Option<&'static Subtype> {
    ALL.iter().find(|subtype| subtype.name == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|subtype| subtype.name)
}

const fn needed(name: &'static str, wire: &'static str, shape: Shape) -> Parameter {
    Parameter {
        name,
        wire,
        required: true,
        shape,
    }
}

const fn optional(name: &'static str, wire: &'static str, shape: Shape) -> Parameter {
    Parameter {
        name,
        wire,
        required: false,
        shape,
    }
}

const fn sqs(action: &'static str) -> Call {
    Call::Form {
        action,
        version: "2012-11-05",
    }
}

const fn states(target: &'static str) -> Call {
    Call::Json {
        target,
        content_type: "application/x-amz-json-1.0",
    }
}

use Shape::{Attributes, JsonText, List, Number, Text, Time};

/// As the service's guide lists them ("Integration subtype reference").
const ALL: &[Subtype] = &[
    Subtype {
        name: "EventBridge-PutEvents",
        host: "events",
        call: Call::JsonEntry {
            target: "AWSEvents.PutEvents",
            content_type: "application/x-amz-json-1.1",
        },
        parameters: &[
            needed("Detail", "Detail", JsonText),
            needed("DetailType", "DetailType", Text),
            needed("Source", "Source", Text),
            optional("Time", "Time", Time),
            optional("EventBusName", "EventBusName", Text),
            optional("Resources", "Resources", List),
            optional("TraceHeader", "TraceHeader", Text),
        ],
    },
    Subtype {
        name: "SQS-SendMessage",
        host: "sqs",
        call: sqs("SendMessage"),
        parameters: &[
            needed("QueueUrl", "QueueUrl", Text),
            needed("MessageBody", "MessageBody", Text),
            optional("DelaySeconds", "DelaySeconds", Number),
            optional("MessageAttributes", "MessageAttribute", Attributes),
            optional("MessageDeduplicationId", "MessageDeduplicationId", Text),
            optional("MessageGroupId", "MessageGroupId", Text),
            optional(
                "MessageSystemAttributes",
                "MessageSystemAttribute",
                Attributes,
            ),
        ],
    },
    Subtype {
        name: "SQS-ReceiveMessage",
        host: "sqs",
        call: sqs("ReceiveMessage"),
        parameters: &[
            needed("QueueUrl", "QueueUrl", Text),
            optional("AttributeNames", "AttributeName", List),
            optional("MaxNumberOfMessages", "MaxNumberOfMessages", Number),
            optional("MessageAttributeNames", "MessageAttributeName", List),
            optional("ReceiveRequestAttemptId", "ReceiveRequestAttemptId", Text),
            optional("VisibilityTimeout", "VisibilityTimeout", Number),
            optional("WaitTimeSeconds", "WaitTimeSeconds", Number),
        ],
    },
    Subtype {
        name: "SQS-DeleteMessage",
        host: "sqs",
        call: sqs("DeleteMessage"),
        parameters: &[
            needed("ReceiptHandle", "ReceiptHandle", Text),
            needed("QueueUrl", "QueueUrl", Text),
        ],
    },
    Subtype {
        name: "SQS-PurgeQueue",
        host: "sqs",
        call: sqs("PurgeQueue"),
        parameters: &[needed("QueueUrl", "QueueUrl", Text)],
    },
    Subtype {
        name: "AppConfig-GetConfiguration",
        host: "appconfig",
        call: Call::Configuration,
        parameters: &[
            needed("Application", "applications", Text),
            needed("Environment", "environments", Text),
            needed("Configuration", "configurations", Text),
            needed("ClientId", "client_id", Text),
            optional(
                "ClientConfigurationVersion",
                "client_configuration_version",
                Text,
            ),
        ],
    },
    Subtype {
        name: "Kinesis-PutRecord",
        host: "kinesis",
        call: Call::Json {
            target: "Kinesis_20131202.PutRecord",
            content_type: "application/x-amz-json-1.1",
        },
        parameters: &[
            needed("StreamName", "StreamName", Text),
            needed("Data", "Data", Text),
            needed("PartitionKey", "PartitionKey", Text),
            optional(
                "SequenceNumberForOrdering",
                "SequenceNumberForOrdering",
                Text,
            ),
            optional("ExplicitHashKey", "ExplicitHashKey", Text),
        ],
    },
    Subtype {
        name: "StepFunctions-StartExecution",
        host: "states",
        call: states("AWSStepFunctions.StartExecution"),
        parameters: &[
            needed("StateMachineArn", "stateMachineArn", Text),
            optional("Name", "name", Text),
            optional("Input", "input", JsonText),
        ],
    },
    Subtype {
        name: "StepFunctions-StartSyncExecution",
        host: "sync-states",
        call: states("AWSStepFunctions.StartSyncExecution"),
        parameters: &[
            needed("StateMachineArn", "stateMachineArn", Text),
            optional("Name", "name", Text),
            optional("Input", "input", JsonText),
            optional("TraceHeader", "traceHeader", Text),
        ],
    },
    Subtype {
        name: "StepFunctions-StopExecution",
        host: "states",
        call: states("AWSStepFunctions.StopExecution"),
        parameters: &[
            needed("ExecutionArn", "executionArn", Text),
            optional("Cause", "cause", Text),
            optional("Error", "error", Text),
        ],
    },
];
