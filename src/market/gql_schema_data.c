/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql_schema_data.c - DataProtector's subgraph as a table of entities over the index
 * SPEC: dataprotector.md#62-entities, dataprotector.md#94-read-methods-and-their-queries
 */
#include "market/gql.h"

#define F(...)                                                                                     \
    { __VA_ARGS__ }
#define FIELDS(a) a, SR_ARRAY_LEN(a)

#define PROTECTED_TABLE                                                                            \
    "(SELECT r.address AS id, r.owner, r.name, r.schema, r.raw, r.checksum, r.time, r.tx, "        \
    "r.block, o.collection, COALESCE(o.bundled, 0) AS bundled, COALESCE(o.rentable, 0) AS "        \
    "rentable, COALESCE(o.for_sale, 0) AS for_sale FROM resource AS r LEFT JOIN offer AS o ON "    \
    "o.data = r.address WHERE r.kind = 1 AND r.schema IS NOT NULL)"
static const struct gentity_field protected_data[] = {
    F("id", G_ID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("name", G_TEXT, "t.name", NULL),
    F("jsonSchema", G_TEXT, "t.schema", NULL),
    F("schema", G_LIST, "address", "SchemaEntry"),
    F("multiaddr", G_BYTES, "t.raw", NULL),
    F("checksum", G_BYTES, "t.checksum", NULL),
    F("creationTimestamp", G_BIGINT, "t.time", NULL),
    F("transactionHash", G_BYTES, "t.tx", NULL),
    F("blockNumber", G_BIGINT, "t.block", NULL),
    F("isIncludedInSubscription", G_BOOL, "t.bundled", NULL),
    F("isRentable", G_BOOL, "t.rentable", NULL),
    F("isForSale", G_BOOL, "t.for_sale", NULL),
    F("collection", G_REF, "t.collection", "Collection"),
    F("rentalParams", G_REF, "CASE WHEN t.rentable = 1 THEN t.id END", "RentalParam"),
    F("saleParams", G_REF, "CASE WHEN t.for_sale = 1 THEN t.id END", "SaleParam"),
    F("sales", G_LIST, "data", "Sale"),
    F("rentals", G_LIST, "data", "Rental"),
    F("consumptions", G_LIST, "data", "Consumption"),
};
static const struct gentity_field schema_entry[] = {
    F("id", G_TEXT, "t.id", NULL),
    F("path", G_TEXT, "t.path", NULL),
    F("type", G_TEXT, "t.type", NULL),
};
static const struct gentity_field account[] = {
    F("id", G_ID, "t.id", NULL),
    F("datasets", G_LIST, "owner", "ProtectedData"),
    F("collections", G_LIST, "owner", "Collection"),
    F("subscriptions", G_LIST, "who", "CollectionSubscription"),
    F("addOnlyAppWhitelists", G_LIST, "owner", "AddOnlyAppWhitelist"),
    F("apps", G_LIST, "owner", "App"),
};
/* An app is one that a list names; who owns it the registry's events tell. */
#define APP_TABLE                                                                                  \
    "(SELECT w.app AS id, (SELECT r.owner FROM resource AS r WHERE r.address = w.app) AS owner "   \
    "FROM (SELECT DISTINCT app FROM whitelist_app) AS w)"
static const struct gentity_field app[] = {
    F("id", G_ID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("addOnlyAppWhitelists", G_LIST,
      "(SELECT app AS parent, whitelist AS child FROM whitelist_app)", "AddOnlyAppWhitelist"),
};
static const struct gentity_field whitelist[] = {
    F("id", G_ID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("apps", G_LIST, "(SELECT whitelist AS parent, app AS child FROM whitelist_app)", "App"),
};
#define MADE                                                                                       \
    F("creationTimestamp", G_BIGINT, "t.time", NULL), F("blockNumber", G_BIGINT, "t.block", NULL), \
        F("transactionHash", G_BYTES, "t.tx", NULL)
static const struct gentity_field collection[] = {
    F("id", G_NUMID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("protectedDatas", G_LIST, "collection", "ProtectedData"),
    F("subscriptions", G_LIST, "collection", "CollectionSubscription"),
    F("subscriptionParams", G_REF, "CASE WHEN t.duration IS NOT NULL THEN t.id END",
      "SubscriptionParam"),
    MADE,
};
static const struct gentity_field subscription_param[] = {
    F("id", G_NUMID, "t.id", NULL),
    F("duration", G_BIGINT, "t.duration", NULL),
    F("price", G_BIGTEXT, "t.price", NULL),
};
static const struct gentity_field rental_param[] = {
    F("id", G_ID, "t.id", NULL),
    F("duration", G_BIGINT, "t.duration", NULL),
    F("price", G_BIGTEXT, "t.price", NULL),
};
static const struct gentity_field sale_param[] = {
    F("id", G_ID, "t.id", NULL),
    F("price", G_BIGTEXT, "t.price", NULL),
};
static const struct gentity_field subscription[] = {
    F("id", G_ID, "t.id", NULL),
    F("collection", G_REF, "t.collection", "Collection"),
    F("subscriber", G_REF, "t.who", "Account"),
    F("endDate", G_BIGINT, "t.until", NULL),
    MADE,
};
static const struct gentity_field rental[] = {
    F("id", G_ID, "t.id", NULL),
    F("renter", G_BYTES, "t.who", NULL),
    F("protectedData", G_REF, "t.data", "ProtectedData"),
    F("collection", G_REF, "t.collection", "Collection"),
    F("endDate", G_BIGINT, "t.until", NULL),
    F("rentalParams", G_REF, "t.data", "RentalParam"),
    MADE,
};
static const struct gentity_field sale[] = {
    F("id", G_ID, "t.id", NULL),
    F("buyer", G_BYTES, "t.who", NULL),
    F("protectedData", G_REF, "t.data", "ProtectedData"),
    F("collection", G_REF, "t.collection", "Collection"),
    F("saleParams", G_REF, "t.data", "SaleParam"),
    MADE,
};
static const struct gentity_field consumption[] = {
    F("id", G_ID, "t.id", NULL),
    F("dealId", G_BYTES, "t.deal", NULL),
    F("protectedData", G_REF, "t.data", "ProtectedData"),
    F("collection", G_REF, "t.collection", "Collection"),
    F("mode", G_TEXT, "CASE WHEN t.mode = 0 THEN 'SUBSCRIPTION' ELSE 'RENTING' END", NULL),
    MADE,
};

#define HAPPENED(n) "(SELECT * FROM share_event WHERE kind = " n ")"
static const struct gentity entities[] = {
    {"ProtectedData", "protectedData", "protectedDatas", PROTECTED_TABLE, G_ID, NULL,
     FIELDS(protected_data), false},
    {"SchemaEntry", "schemaEntry", "schemaEntries", "schema_entry", G_TEXT, "t.seq",
     FIELDS(schema_entry), false},
    {"Account", "account", "accounts", "account", G_ID, NULL, FIELDS(account), false},
    {"App", "app", "apps", APP_TABLE, G_ID, NULL, FIELDS(app), false},
    {"AddOnlyAppWhitelist", "addOnlyAppWhitelist", "addOnlyAppWhitelists", "whitelist", G_ID, NULL,
     FIELDS(whitelist), false},
    {"Collection", "collection", "collections", "collection", G_NUMID, NULL, FIELDS(collection),
     false},
    {"SubscriptionParam", "subscriptionParam", "subscriptionParams",
     "(SELECT id, price, duration FROM collection WHERE duration IS NOT NULL)", G_NUMID, NULL,
     FIELDS(subscription_param), false},
    {"RentalParam", "rentalParam", "rentalParams",
     "(SELECT data AS id, rent_price AS price, rent_duration AS duration FROM offer WHERE "
     "rent_duration IS NOT NULL)",
     G_ID, NULL, FIELDS(rental_param), false},
    {"SaleParam", "saleParam", "saleParams",
     "(SELECT data AS id, sale_price AS price FROM offer WHERE sale_price IS NOT NULL)", G_ID, NULL,
     FIELDS(sale_param), false},
    {"CollectionSubscription", "collectionSubscription", "collectionSubscriptions", HAPPENED("0"),
     G_ID, NULL, FIELDS(subscription), false},
    {"Rental", "rental", "rentals", HAPPENED("1"), G_ID, NULL, FIELDS(rental), false},
    {"Sale", "sale", "sales", HAPPENED("2"), G_ID, NULL, FIELDS(sale), false},
    {"Consumption", "consumption", "consumptions", HAPPENED("3"), G_ID, NULL, FIELDS(consumption),
     false},
};
const struct gschema gql_dataprotector = {entities, SR_ARRAY_LEN(entities)};
