//! How actions of AWS services are called, and under which names requests are signed.
//!
//! The rows are facts of the service models that the AWS SDK for Python ships (botocore 1.44), by the first label of a service's host.
//! Services that have neither row are called by path, and signed under their own name.

/// How an action is named in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `X-Amz-Target: prefix.Action`, with a body in JSON 1.0.
    Json10(&'static str),
    /// The same in JSON 1.1.
    Json11(&'static str),
    /// `Action=…&Version=…`, with answers in XML.
    Query(&'static str),
}

use Protocol::{Json10, Json11, Query};

/// How actions of `service` are named; `None` where they are paths and verbs.
pub(crate) fn protocol(service: &str) -> Option<Protocol> {
    let at = ACTIONS.binary_search_by_key(&service, |row| row.0).ok()?;
    Some(ACTIONS[at].1)
}

/// The name under which requests to `service` are signed, where it is not its own.
pub(crate) fn signing_name(service: &str) -> Option<&'static str> {
    let at = SIGNED_AS.binary_search_by_key(&service, |row| row.0).ok()?;
    Some(SIGNED_AS[at].1)
}

/// By service: how its actions are named. Sorted.
const ACTIONS: &[(&str, Protocol)] = &[
    ("acm", Json11("CertificateManager")),
    ("acm-pca", Json11("ACMPrivateCA")),
    (
        "aco-automation",
        Json10("ComputeOptimizerAutomationService"),
    ),
    (
        "agreement-marketplace",
        Json10("AWSMPCommerceService_v20200301"),
    ),
    ("airflow-serverless", Json10("AmazonMWAAServerless")),
    ("aoss", Json10("OpenSearchServerless")),
    ("api.ecr", Json11("AmazonEC2ContainerRegistry_V20150921")),
    ("api.ecr-public", Json11("SpencerFrontendService")),
    ("api.pricing", Json11("AWSPriceListService")),
    ("api.sagemaker", Json11("SageMaker")),
    ("api.tunneling.iot", Json11("IoTSecuredTunneling")),
    ("application-autoscaling", Json11("AnyScaleFrontendService")),
    ("applicationinsights", Json11("EC2WindowsBarleyService")),
    ("apprunner", Json10("AppRunner")),
    ("appstream2", Json11("PhotonAdminProxyService")),
    ("arc-region-switch", Json10("ArcRegionSwitch")),
    ("athena", Json11("AmazonAthena")),
    ("autoscaling", Query("2011-01-01")),
    (
        "autoscaling-plans",
        Json11("AnyScaleScalingPlannerFrontendService"),
    ),
    ("b2bi", Json10("B2BI")),
    ("backup-gateway", Json10("BackupOnPremises_v20210101")),
    ("bcm-dashboards", Json10("AWSBCMDashboardsService")),
    (
        "bcm-data-exports",
        Json11("AWSBillingAndCostManagementDataExports"),
    ),
    ("bcm-pricing-calculator", Json10("AWSBCMPricingCalculator")),
    (
        "bcm-recommended-actions",
        Json10("AWSBillingAndCostManagementRecommendedActions"),
    ),
    (
        "bedrock-data-automation-runtime",
        Json11("AmazonBedrockKeystoneRuntimeService"),
    ),
    ("billing", Json10("AWSBilling")),
    ("budgets", Json11("AWSBudgetServiceGateway")),
    ("cassandra", Json10("KeyspacesService")),
    ("cassandra-streams", Json10("KeyspacesStreams")),
    ("ce", Json11("AWSInsightsIndexService")),
    ("cloud9", Json11("AWSCloud9WorkspaceManagementService")),
    ("cloudcontrolapi", Json10("CloudApiService")),
    ("cloudformation", Query("2010-05-15")),
    ("cloudhsm", Json11("CloudHsmFrontendService")),
    ("cloudhsmv2", Json11("BaldrApiService")),
    ("cloudsearch", Query("2013-01-01")),
    (
        "cloudtrail",
        Json11("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
    ),
    ("codebuild", Json11("CodeBuild_20161006")),
    ("codecommit", Json11("CodeCommit_20150413")),
    (
        "codeconnections",
        Json10("com.amazonaws.codeconnections.CodeConnections_20231201"),
    ),
    ("codedeploy", Json11("CodeDeploy_20141006")),
    ("codepipeline", Json11("CodePipeline_20150709")),
    (
        "codestar-connections",
        Json10("com.amazonaws.codestar.connections.CodeStar_connections_20191201"),
    ),
    ("cognito-identity", Json11("AWSCognitoIdentityService")),
    ("cognito-idp", Json11("AWSCognitoIdentityProviderService")),
    ("comprehend", Json11("Comprehend_20171127")),
    ("comprehendmedical", Json11("ComprehendMedical_20181030")),
    ("compute-optimizer", Json10("ComputeOptimizerService")),
    ("config", Json11("StarlingDoveService")),
    (
        "controlplane.payment-cryptography",
        Json10("PaymentCryptographyControlPlane"),
    ),
    (
        "cost-optimization-hub",
        Json10("CostOptimizationHubService"),
    ),
    ("cur", Json11("AWSOrigamiServiceGatewayService")),
    ("datapipeline", Json11("DataPipeline")),
    ("datasync", Json11("FmrsService")),
    ("dax", Json11("AmazonDAXV3")),
    ("devicefarm", Json11("DeviceFarm_20150623")),
    ("directconnect", Json11("OvertureService")),
    ("discovery", Json11("AWSPoseidonService_V2015_11_01")),
    ("dms", Json11("AmazonDMSv20160101")),
    ("ds", Json11("DirectoryService_20150416")),
    ("dynamodb", Json10("DynamoDB_20120810")),
    ("ec2", Query("2016-11-15")),
    (
        "ec2-instance-connect",
        Json11("AWSEC2InstanceConnectService"),
    ),
    ("ecs", Json11("AmazonEC2ContainerServiceV20141113")),
    ("elasticache", Query("2015-02-02")),
    ("elasticbeanstalk", Query("2010-12-01")),
    ("elasticloadbalancing", Query("2015-12-01")),
    ("elasticmapreduce", Json11("ElasticMapReduce")),
    ("email", Query("2010-12-01")),
    ("entitlement.marketplace", Json11("AWSMPEntitlementService")),
    ("events", Json11("AWSEvents")),
    ("evs", Json10("AmazonElasticVMwareService")),
    ("firehose", Json11("Firehose_20150804")),
    ("fms", Json11("AWSFMS_20180101")),
    ("forecast", Json11("AmazonForecast")),
    ("forecastquery", Json11("AmazonForecastRuntime")),
    ("frauddetector", Json11("AWSHawksNestServiceFacade")),
    ("freetier", Json10("AWSFreeTierService")),
    ("fsx", Json11("AWSSimbaAPIService_v20180301")),
    ("gamelift", Json11("GameLift")),
    ("globalaccelerator", Json11("GlobalAccelerator_V20180706")),
    ("glue", Json11("AWSGlue")),
    ("health", Json11("AWSHealth_20160804")),
    ("healthlake", Json10("HealthLake")),
    ("iam", Query("2010-05-08")),
    ("identitystore", Json11("AWSIdentityStore")),
    ("ingest.timestream", Json10("Timestream_20181101")),
    ("inspector", Json11("InspectorService")),
    ("interconnect", Json10("Interconnect")),
    ("invoicing", Json10("Invoicing")),
    ("iotfleetwise", Json10("IoTAutobahnControlPlane")),
    ("iotthingsgraph", Json11("IotThingsGraphFrontEndService")),
    ("kendra", Json11("AWSKendraFrontendService")),
    (
        "kendra-ranking",
        Json10("AWSKendraRerankingFrontendService"),
    ),
    ("kinesis", Json11("Kinesis_20131202")),
    ("kinesisanalytics", Json11("KinesisAnalytics_20180523")),
    ("kms", Json11("TrentService")),
    ("license-manager", Json11("AWSLicenseManager")),
    ("lightsail", Json11("Lightsail_20161128")),
    ("logs", Json11("Logs_20140328")),
    (
        "lookoutequipment",
        Json10("AWSLookoutEquipmentFrontendService"),
    ),
    ("machinelearning", Json11("AmazonML_20141212")),
    ("mail-manager", Json10("MailManagerSvc")),
    (
        "marketplacecommerceanalytics",
        Json11("MarketplaceCommerceAnalytics20150701"),
    ),
    ("mediastore", Json11("MediaStore_20170901")),
    ("memory-db", Json11("AmazonMemoryDB")),
    ("metering.marketplace", Json11("AWSMPMeteringService")),
    ("mgh", Json11("AWSMigrationHub")),
    (
        "migrationhub-config",
        Json11("AWSMigrationHubMultiAccountService"),
    ),
    ("monitoring", Query("2010-08-01")),
    ("mturk-requester", Json11("MTurkRequesterServiceV20170117")),
    ("network-firewall", Json10("NetworkFirewall_20201112")),
    ("odb", Json10("Odb")),
    ("organizations", Json11("AWSOrganizationsV20161128")),
    ("osm", Json10("OpenSearchMemory")),
    ("partnercentral-account", Json10("PartnerCentralAccount")),
    (
        "partnercentral-benefits",
        Json10("PartnerCentralBenefitsService"),
    ),
    ("partnercentral-channel", Json10("PartnerCentralChannel")),
    ("partnercentral-selling", Json10("AWSPartnerCentralSelling")),
    ("payments", Json10("AWSPayments")),
    ("pcs", Json10("AWSParallelComputingService")),
    ("personalize", Json11("AmazonPersonalize")),
    ("pi", Json11("PerformanceInsightsv20180227")),
    ("proton", Json10("AwsProton20200720")),
    ("query.timestream", Json10("Timestream_20181101")),
    ("rds", Query("2014-10-31")),
    ("redshift", Query("2012-12-01")),
    ("redshift-data", Json11("RedshiftData")),
    ("redshift-serverless", Json11("RedshiftServerless")),
    ("rekognition", Json11("RekognitionService")),
    ("route53-recovery-cluster", Json10("ToggleCustomerAPI")),
    ("route53domains", Json11("Route53Domains_v20140515")),
    ("route53resolver", Json11("Route53Resolver")),
    ("secretsmanager", Json11("secretsmanager")),
    ("servicecatalog", Json11("AWS242ServiceCatalogService")),
    ("servicediscovery", Json11("Route53AutoNaming_v20170314")),
    ("servicequotas", Json11("ServiceQuotasV20190624")),
    ("shield", Json11("AWSShield_20160616")),
    ("sms-voice", Json10("PinpointSMSVoiceV2")),
    ("snowball", Json11("AWSIESnowballJobManagementService")),
    ("sns", Query("2010-03-31")),
    ("sqs", Query("2012-11-05")),
    ("ssm", Json11("AmazonSSM")),
    ("ssm-contacts", Json11("SSMContacts")),
    ("sso", Json11("SWBExternalService")),
    ("states", Json10("AWSStepFunctions")),
    ("storagegateway", Json11("StorageGateway_20130630")),
    ("streams.dynamodb", Json10("DynamoDBStreams_20120810")),
    ("sts", Query("2011-06-15")),
    ("support", Json11("AWSSupport_20130415")),
    ("swf", Json10("SimpleWorkflowService")),
    ("tagging", Json11("ResourceGroupsTaggingAPI_20170126")),
    ("textract", Json11("Textract")),
    ("timestream-influxdb", Json10("AmazonTimestreamInfluxDB")),
    ("transcribe", Json11("Transcribe")),
    ("transfer", Json11("TransferService")),
    ("translate", Json11("AWSShineFrontendService_20170701")),
    ("verifiedpermissions", Json10("VerifiedPermissions")),
    ("voiceid", Json10("VoiceID")),
    ("waf", Json11("AWSWAF_20150824")),
    ("waf-regional", Json11("AWSWAF_Regional_20161128")),
    ("wafv2", Json11("AWSWAF_20190729")),
    ("workmail", Json11("WorkMailService")),
    ("workspaces", Json11("WorkspacesService")),
    ("workspaces-instances", Json10("EUCMIFrontendAPIService")),
];

/// By service: the other name that its requests are signed under. Sorted.
const SIGNED_AS: &[(&str, &str)] = &[
    ("account-access-runtime", "account-access"),
    ("agent-registry-control", "agent-registry"),
    ("agreement-marketplace", "aws-marketplace"),
    ("api.tunneling.iot", "IoTSecuredTunneling"),
    ("appconfigdata", "appconfig"),
    ("appstream2", "appstream"),
    ("bedrock-agent", "bedrock"),
    ("bedrock-agent-runtime", "bedrock"),
    ("bedrock-agentcore-control", "bedrock-agentcore"),
    ("bedrock-data-automation", "bedrock"),
    ("bedrock-data-automation-runtime", "bedrock"),
    ("bedrock-runtime", "bedrock"),
    ("cassandra-streams", "cassandra"),
    ("catalog.marketplace", "aws-marketplace"),
    ("cloudhsmv2", "cloudhsm"),
    ("cloudsearchdomain", "cloudsearch"),
    ("cloudwatch-omni", "cloudwatch"),
    ("contact-lens", "connect"),
    ("data-ats.iot", "iotdata"),
    ("data-signer", "signer"),
    ("data.iot", "iotdata"),
    ("data.jobs.iot", "iot-jobs-data"),
    ("deployment-marketplace", "aws-marketplace"),
    ("discovery-marketplace", "aws-marketplace"),
    ("email", "ses"),
    ("entitlement.marketplace", "aws-marketplace"),
    ("eventsv2", "events"),
    ("forecastquery", "forecast"),
    ("iam-toolbox", "iam"),
    ("identity-chime", "chime"),
    ("ivsrealtime", "ivs"),
    ("mail-manager", "ses"),
    ("media-pipelines-chime", "chime"),
    ("meetings-chime", "chime"),
    ("memory-db", "memorydb"),
    ("messaging-chime", "chime"),
    ("metering.marketplace", "aws-marketplace"),
    ("migrationhub-config", "mgh"),
    ("models-v2-lex", "lex"),
    ("oidc", "sso-oauth"),
    ("participant.connect", "execute-api"),
    ("partnercentral-prm", "partnercentral"),
    ("personalize-events", "personalize"),
    ("personalize-runtime", "personalize"),
    ("pinpoint", "mobiletargeting"),
    ("portal.sso", "awsssoportal"),
    ("reporting-marketplace", "aws-marketplace"),
    ("runtime-v2-lex", "lex"),
    ("s3-control", "s3"),
    ("servicecatalog-appregistry", "servicecatalog"),
    ("sms-voice.pinpoint", "sms-voice"),
    ("sync-states", "states"),
    ("voice-chime", "chime"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(ACTIONS.is_sorted_by(|one, next| one.0 < next.0));
        assert!(SIGNED_AS.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn a_service_is_found_by_its_name() {
        assert_eq!(protocol("dynamodb"), Some(Json10("DynamoDB_20120810")));
        assert_eq!(protocol("events"), Some(Json11("AWSEvents")));
        assert_eq!(protocol("sqs"), Some(Query("2012-11-05")));
        assert_eq!(protocol("s3"), None);
        assert_eq!(signing_name("email"), Some("ses"));
        assert_eq!(signing_name("sqs"), None);
    }
}
