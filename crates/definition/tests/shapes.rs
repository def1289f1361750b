//! What the service's tools print is read as it is.

use portcullis_definition::{
    ApiKey, AuthorizationType, Authorizer, BasePathMapping, Deployment, DomainName,
    GatewayResponse, HttpApi, HttpAuthorizer, HttpIntegration, List, Model, RequestValidator,
    Resource, RestApi, Route, RoutingMode, Stage, Timestamp, UsagePlan, read,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads `value` and lets nothing of it go unread.
#[track_caller]
fn whole<T: DeserializeOwned>(value: &Value) -> T {
    let read = read::<T>(value).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.unknown, [], "unread fields");
    read.value
}

#[test]
fn a_rest_api_is_read() {
    let api: RestApi = whole(&json!({
        "id": "a1b2c3d4e5", "name": "pets", "createdDate": "2024-04-15T10:00:00+00:00",
        "version": "1.0", "warnings": ["w"], "binaryMediaTypes": ["image/png"],
        "minimumCompressionSize": 0, "apiKeySource": "AUTHORIZER",
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
        "policy": "{\\\"Version\\\":\\\"2012-10-17\\\"}", "tags": {"a": "b"},
        "disableExecuteApiEndpoint": false, "rootResourceId": "root",
    }));
    assert_eq!(
        api.created_date,
        Some(Timestamp::Iso("2024-04-15T10:00:00+00:00".into()))
    );
    assert_eq!(api.minimum_compression_size, Some(0));
    assert_eq!(api.policy.unwrap().as_value()["Version"], "2012-10-17");
}

#[test]
fn resources_with_embedded_methods_are_read() {
    let resources: List<Resource> = whole(&json!({"items": [
        {"id": "root", "path": "/"},
        {"id": "r1", "parentId": "root", "pathPart": "pets", "path": "/pets", "resourceMethods": {
            "GET": {
                "httpMethod": "GET", "authorizationType": "CUSTOM", "authorizerId": "auth",
                "apiKeyRequired": true, "requestValidatorId": "v", "operationName": "list",
                "requestParameters": {"method.request.querystring.page": false},
                "requestModels": {"application/json": "Pet"},
                "methodResponses": {"200": {"statusCode": 200, "responseModels": {},
                    "responseParameters": {"method.response.header.X": true}}},
                "methodIntegration": {
                    "type": "HTTP", "httpMethod": "GET", "uri": "http://x.test",
                    "connectionType": "VPC_LINK", "connectionId": "l",
                    "requestTemplates": {"application/json": "{}"},
                    "passthroughBehavior": "WHEN_NO_TEMPLATES", "contentHandling": "CONVERT_TO_TEXT",
                    "timeoutInMillis": 50, "cacheNamespace": "r1",
                    "cacheKeyParameters": ["method.request.querystring.page"],
                    "tlsConfig": {"insecureSkipVerification": true},
                    "integrationResponses": {
                        "404": {"statusCode": "404", "selectionPattern": "4\\d{2}"},
                        "200": {"statusCode": "200", "responseTemplates": {"application/json": ""}},
                    },
                },
                "authorizationScopes": ["a"],
            },
            "OPTIONS": {},
        }},
    ]}));
    let get = &resources.0[1].resource_methods["GET"];
    assert_eq!(get.authorization_type, AuthorizationType::Custom);
    assert_eq!(get.method_responses["200"].status_code, "200");
    let patterns = &get
        .method_integration
        .as_ref()
        .unwrap()
        .integration_responses;
    assert_eq!(
        patterns["404"].selection_pattern.as_deref(),
        Some(r"4\d{2}")
    );
}

#[test]
fn the_parts_of_a_rest_api_are_read() {
    let authorizers: List<Authorizer> = whole(&json!({"items": [{
        "id": "a", "name": "pool", "type": "COGNITO_USER_POOLS", "providerARNs": ["arn"],
        "authType": "cognito_user_pools", "identitySource": "method.request.header.Authorization",
        "authorizerResultTtlInSeconds": 300}]}));
    assert_eq!(authorizers.0[0].provider_arns, ["arn"]);
    let _: List<Model> = whole(&json!({"items": [{
        "id": "m", "name": "Pet", "description": "d", "schema": "{}",
        "contentType": "application/json"}]}));
    let _: List<RequestValidator> = whole(&json!({"items": [{
        "id": "v", "name": "all", "validateRequestBody": true,
        "validateRequestParameters": false}]}));
    let _: List<GatewayResponse> = whole(&json!({"items": [{
        "responseType": "DEFAULT_4XX", "statusCode": "404", "responseParameters": {},
        "responseTemplates": {"application/json": "{}"}, "defaultResponse": false}]}));
    let _: Deployment = whole(&json!({
        "id": "d", "createdDate": 1_713_175_200.5, "description": "x",
        "apiSummary": {"/pets": {"GET": {"authorizationType": "NONE", "apiKeyRequired": false}}}}));
}

#[test]
fn stages_of_both_kinds_are_read() {
    let stages: List<Stage> = whole(&json!({"item": [{
        "deploymentId": "d", "stageName": "dev", "cacheClusterEnabled": true,
        "cacheClusterSize": "0.5", "cacheClusterStatus": "AVAILABLE",
        "methodSettings": {"*/*": {
            "metricsEnabled": true, "loggingLevel": "INFO", "dataTraceEnabled": false,
            "throttlingBurstLimit": 5, "throttlingRateLimit": 0.5, "cachingEnabled": true,
            "cacheTtlInSeconds": 300, "cacheDataEncrypted": false,
            "requireAuthorizationForCacheControl": true,
            "unauthorizedCacheControlHeaderStrategy": "FAIL_WITH_403"}},
        "variables": {"a": "b"}, "tracingEnabled": false, "webAclArn": "arn",
        "canarySettings": {"percentTraffic": 10.5, "deploymentId": "c",
            "stageVariableOverrides": {"a": "c"}, "useStageCache": false},
        "accessLogSettings": {"format": "$context.requestId", "destinationArn": "arn"},
        "createdDate": 1_713_175_200, "lastUpdatedDate": "2024-04-15T10:00:00+00:00"}]}));
    let dev = &stages.0[0];
    assert_eq!(dev.method_settings["*/*"].throttling_rate_limit, Some(0.5));
    assert_eq!(
        dev.created_date,
        Some(Timestamp::Epoch(1_713_175_200.into()))
    );

    let stages: List<Stage> = whole(&json!({"Items": [{
        "AutoDeploy": true, "CreatedDate": "2024-04-15T10:00:00+00:00",
        "DefaultRouteSettings": {"DetailedMetricsEnabled": false, "ThrottlingBurstLimit": 1,
            "ThrottlingRateLimit": 2.0},
        "RouteSettings": {"GET /pets": {"ThrottlingRateLimit": 1.0}},
        "StageName": "$default", "StageVariables": {"a": "b"}, "Tags": {}}]}));
    assert_eq!(stages.0[0].variables["a"], "b");
    assert!(stages.0[0].auto_deploy);
}

#[test]
fn usage_plans_and_keys_are_read() {
    let plans: List<UsagePlan> = whole(&json!({"items": [{
        "id": "p", "name": "basic", "apiStages": [{"apiId": "a", "stage": "dev",
            "throttle": {"//GET": {"burstLimit": 1, "rateLimit": 0.1}}}],
        "throttle": {"burstLimit": 10, "rateLimit": 5.0},
        "quota": {"limit": 100, "offset": 0, "period": "MONTH"},
        "keys": ["k1", {"id": "k2", "type": "API_KEY", "name": "n"}]}]}));
    let ids: Vec<_> = plans.0[0].keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["k1", "k2"]);
    let keys: List<ApiKey> = whole(&json!({"items": [{
        "id": "k1", "value": "0123456789abcdefghij", "name": "n", "enabled": true,
        "createdDate": "2024-04-15T10:00:00+00:00", "lastUpdatedDate": 1, "stageKeys": ["a/dev"]}]}));
    let key = &keys.0[0];
    assert_eq!(key.value.as_ref().unwrap().expose(), "0123456789abcdefghij");
    assert!(!format!("{key:?}").contains("0123456789abcdefghij"));
}

#[test]
fn domains_of_both_versions_are_read() {
    let domain: DomainName = whole(&json!({
        "domainName": "api.example.com", "certificateArn": "arn",
        "regionalDomainName": "d-1.execute-api.us-east-1.amazonaws.com",
        "endpointConfiguration": {"types": ["REGIONAL"]}, "securityPolicy": "TLS_1_2",
        "mutualTlsAuthentication": {"truststoreUri": "s3://b/t.pem"},
        "routingMode": "ROUTING_RULE_THEN_BASE_PATH_MAPPING",
        "basePathMappings": {"items": [{"basePath": "(none)", "restApiId": "a", "stage": "dev"}]},
    }));
    assert_eq!(
        domain.routing_mode,
        Some(RoutingMode::RoutingRuleThenApiMapping)
    );
    assert_eq!(
        domain.base_path_mappings[0].base_path.as_deref(),
        Some("(none)")
    );

    let domain: DomainName = whole(&json!({
        "ApiMappingSelectionExpression": "$request.basepath", "DomainName": "api.example.com",
        "DomainNameConfigurations": [{"ApiGatewayDomainName": "d-1", "EndpointType": "REGIONAL"}],
        "ApiMappings": {"Items": [{"ApiId": "a", "ApiMappingId": "m", "ApiMappingKey": "v1",
            "Stage": "$default"}]},
        "RoutingRules": [{"Priority": 1, "RoutingRuleId": "r",
            "Conditions": [{"MatchHeaders": {"AnyOf": [{"Header": "x", "ValueGlob": "v*"}]}}],
            "Actions": [{"InvokeApi": {"ApiId": "a", "Stage": "s", "StripBasePath": true}}]}],
    }));
    assert_eq!(
        domain.api_mappings[0].api_mapping_key.as_deref(),
        Some("v1")
    );
    assert!(
        domain.routing_rules[0].actions[0]
            .invoke_api
            .as_ref()
            .unwrap()
            .strip_base_path
    );
    let _: List<BasePathMapping> = whole(&json!([{"basePath": "v1", "restApiId": "a"}]));
}

#[test]
fn an_http_api_and_its_parts_are_read() {
    let api: HttpApi = whole(&json!({
        "ApiEndpoint": "https://a.execute-api.us-east-1.amazonaws.com", "ApiId": "a",
        "ApiKeySelectionExpression": "$request.header.x-api-key", "Name": "n",
        "CorsConfiguration": {"AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": -1},
        "CreatedDate": "2024-04-15T10:00:00+00:00", "DisableExecuteApiEndpoint": false,
        "IpAddressType": "ipv4", "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path", "Tags": {}}));
    assert_eq!(api.cors_configuration.unwrap().max_age, Some(-1));
    let _: List<Route> = whole(&json!({"Items": [{
        "ApiKeyRequired": false, "AuthorizationType": "JWT", "AuthorizationScopes": ["s"],
        "AuthorizerId": "x", "RouteId": "r", "RouteKey": "GET /pets", "Target": "integrations/i"}]}));
    let integrations: List<HttpIntegration> = whole(&json!({"Items": [{
        "ConnectionType": "INTERNET", "IntegrationId": "i", "IntegrationMethod": "ANY",
        "IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://x.test",
        "PayloadFormatVersion": "1.0", "TimeoutInMillis": 30000,
        "RequestParameters": {"overwrite:path": "$request.path"},
        "ResponseParameters": {"500": {"overwrite:statuscode": "403"}},
        "TlsConfig": {"ServerNameToVerify": "x"}}]}));
    assert_eq!(
        integrations.0[0].response_parameters["500"]["overwrite:statuscode"],
        "403"
    );
    let _: List<HttpAuthorizer> = whole(&json!({"Items": [{
        "AuthorizerId": "a", "AuthorizerType": "JWT", "Name": "n",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Audience": ["x"], "Issuer": "https://issuer.test"}}]}));
}

#[test]
fn an_unknown_field_is_named_by_its_pointer() {
    let value = json!({"items": [{"id": "r", "colour": 1, "resourceMethods":
        {"GET": {"methodIntegration": {"type": "MOCK", "a/b": 2}}}}]});
    let read = read::<List<Resource>>(&value).unwrap();
    let pointers: Vec<_> = read
        .unknown
        .iter()
        .map(|pointer| pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/items/0/colour",
            "/items/0/resourceMethods/GET/methodIntegration/a~1b",
        ]
    );
}

#[test]
fn a_wrong_value_is_named_by_its_pointer() {
    let value = json!({"methodSettings": {"*/*": {"cacheTtlInSeconds": "long"}}});
    let error = read::<Stage>(&value).unwrap_err();
    assert_eq!(
        error.pointer.as_str(),
        "/methodSettings/*~1*/cacheTtlInSeconds"
    );
    let error = read::<Resource>(&json!({"resourceMethods": {"GET": {"authorizationType": "X"}}}));
    assert!(error.unwrap_err().message.contains("AWS_IAM"));
}

#[test]
fn what_is_written_is_read_again() {
    let stage: Stage = whole(&json!({"StageName": "dev", "Variables": {"a": "b"},
        "CanarySettings": {"PercentTraffic": 1.5}}));
    let written = serde_json::to_value(&stage).unwrap();
    assert_eq!(written["stageName"], "dev");
    assert_eq!(whole::<Stage>(&written), stage);
}
