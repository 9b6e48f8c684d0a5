/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions.h - every function of the contracts by name: its calldata, its answer
 *
 * The calls that the programs make often have functions of their own (calls.h, poco.h); this is the
 * whole surface, for administration, tests and whatever is needed next. DataProtectorSharing is
 * elsewhere.
 *
 * Depends on: base, crypto, eth core, order.  Used by: poco, sdk.  No network.
 * SPEC: poco.md#29-selectors-topics-errors
 */
#pragma once
#include "poco/order.h"

/* Order tuples as ABI types: app and dataset orders are alike. */
#define POCO_T_ORDER "(address,uint256,uint256,bytes32,address,address,address,bytes32,bytes)"
#define POCO_T_WORKERPOOL                                                                          \
    "(address,uint256,uint256,bytes32,uint256,uint256,address,address,address,bytes32,bytes)"
#define POCO_T_REQUEST                                                                             \
    "(address,uint256,address,uint256,address,uint256,address,uint256,bytes32,uint256,uint256,"    \
    "address,address,string,bytes32,bytes)"

/* X(name, signature, types of the answer) */
#define POCO_FUNCTIONS(X)                                                                          \
    /* the hub */                                                                                  \
    X(POCO_FN_ALLOWANCE, "allowance(address,address)", "uint256")                                  \
    X(POCO_FN_APPREGISTRY, "appregistry()", "address")                                             \
    X(POCO_FN_APPROVE, "approve(address,uint256)", "bool")                                         \
    X(POCO_FN_APPROVE_AND_CALL, "approveAndCall(address,uint256,bytes)", "bool")                   \
    X(POCO_FN_ASSERT_DATASET_DEAL_COMPATIBILITY,                                                   \
      "assertDatasetDealCompatibility(" POCO_T_ORDER ",bytes32)", "")                              \
    X(POCO_FN_BALANCE_OF, "balanceOf(address)", "uint256")                                         \
    X(POCO_FN_BROADCAST_APP_ORDER, "broadcastAppOrder(" POCO_T_ORDER ")", "")                      \
    X(POCO_FN_BROADCAST_DATASET_ORDER, "broadcastDatasetOrder(" POCO_T_ORDER ")", "")              \
    X(POCO_FN_BROADCAST_REQUEST_ORDER, "broadcastRequestOrder(" POCO_T_REQUEST ")", "")            \
    X(POCO_FN_BROADCAST_WORKERPOOL_ORDER, "broadcastWorkerpoolOrder(" POCO_T_WORKERPOOL ")", "")   \
    X(POCO_FN_CALLBACKGAS, "callbackgas()", "uint256")                                             \
    X(POCO_FN_CHANGE_REGISTRIES, "changeRegistries(address,address,address)", "")                  \
    X(POCO_FN_CLAIM, "claim(bytes32)", "")                                                         \
    X(POCO_FN_CLAIM_ARRAY, "claimArray(bytes32[])", "bool")                                        \
    X(POCO_FN_COMPUTE_DEAL_VOLUME,                                                                 \
      "computeDealVolume(" POCO_T_ORDER "," POCO_T_ORDER "," POCO_T_WORKERPOOL "," POCO_T_REQUEST  \
      ")",                                                                                         \
      "uint256")                                                                                   \
    X(POCO_FN_CONFIGURE, "configure(address,string,string,uint8,address,address,address,address)", \
      "")                                                                                          \
    X(POCO_FN_CONTRIBUTE, "contribute(bytes32,bytes32,bytes32,address,bytes,bytes)", "")           \
    X(POCO_FN_CONTRIBUTE_AND_FINALIZE,                                                             \
      "contributeAndFinalize(bytes32,bytes32,bytes,bytes,address,bytes,bytes)", "")                \
    X(POCO_FN_CONTRIBUTION_DEADLINE_RATIO, "contribution_deadline_ratio()", "uint256")             \
    X(POCO_FN_COUNT_CATEGORY, "countCategory()", "uint256")                                        \
    X(POCO_FN_CREATE_CATEGORY, "createCategory(string,string,uint256)", "uint256")                 \
    X(POCO_FN_DATASETREGISTRY, "datasetregistry()", "address")                                     \
    X(POCO_FN_DECIMALS, "decimals()", "uint8")                                                     \
    X(POCO_FN_DECREASE_ALLOWANCE, "decreaseAllowance(address,uint256)", "bool")                    \
    X(POCO_FN_DEPOSIT, "deposit(uint256)", "bool")                                                 \
    X(POCO_FN_DEPOSIT_FOR, "depositFor(uint256,address)", "bool")                                  \
    X(POCO_FN_DEPOSIT_FOR_ARRAY, "depositForArray(uint256[],address[])", "bool")                   \
    X(POCO_FN_DOMAIN, "domain()", "(string,string,uint256,address)")                               \
    X(POCO_FN_EIP712DOMAIN_SEPARATOR, "eip712domain_separator()", "bytes32")                       \
    X(POCO_FN_FINAL_DEADLINE_RATIO, "final_deadline_ratio()", "uint256")                           \
    X(POCO_FN_FINALIZE, "finalize(bytes32,bytes,bytes)", "")                                       \
    X(POCO_FN_FROZEN_OF, "frozenOf(address)", "uint256")                                           \
    X(POCO_FN_GROUPMEMBER_PURPOSE, "groupmember_purpose()", "uint256")                             \
    X(POCO_FN_IMPORT_SCORE, "importScore(address)", "")                                            \
    X(POCO_FN_INCREASE_ALLOWANCE, "increaseAllowance(address,uint256)", "bool")                    \
    X(POCO_FN_INITIALIZE, "initialize(bytes32,uint256)", "bytes32")                                \
    X(POCO_FN_INITIALIZE_AND_CLAIM_ARRAY, "initializeAndClaimArray(bytes32[],uint256[])", "bool")  \
    X(POCO_FN_INITIALIZE_ARRAY, "initializeArray(bytes32[],uint256[])", "bool")                    \
    X(POCO_FN_KITTY_ADDRESS, "kitty_address()", "address")                                         \
    X(POCO_FN_KITTY_MIN, "kitty_min()", "uint256")                                                 \
    X(POCO_FN_KITTY_RATIO, "kitty_ratio()", "uint256")                                             \
    X(POCO_FN_MANAGE_APP_ORDER, "manageAppOrder((" POCO_T_ORDER ",uint8,bytes))", "")              \
    X(POCO_FN_MANAGE_DATASET_ORDER, "manageDatasetOrder((" POCO_T_ORDER ",uint8,bytes))", "")      \
    X(POCO_FN_MANAGE_REQUEST_ORDER, "manageRequestOrder((" POCO_T_REQUEST ",uint8,bytes))", "")    \
    X(POCO_FN_MANAGE_WORKERPOOL_ORDER,                                                             \
      "manageWorkerpoolOrder((" POCO_T_WORKERPOOL ",uint8,bytes))", "")                            \
    X(POCO_FN_MATCH_ORDERS,                                                                        \
      "matchOrders(" POCO_T_ORDER "," POCO_T_ORDER "," POCO_T_WORKERPOOL "," POCO_T_REQUEST ")",   \
      "bytes32")                                                                                   \
    X(POCO_FN_NAME, "name()", "string")                                                            \
    X(POCO_FN_OWNER, "owner()", "address")                                                         \
    X(POCO_FN_RECEIVE_APPROVAL, "receiveApproval(address,uint256,address,bytes)", "bool")          \
    X(POCO_FN_RECOVER, "recover()", "uint256")                                                     \
    X(POCO_FN_RENOUNCE_OWNERSHIP, "renounceOwnership()", "")                                       \
    X(POCO_FN_REOPEN, "reopen(bytes32)", "")                                                       \
    X(POCO_FN_RESULT_FOR, "resultFor(bytes32)", "bytes")                                           \
    X(POCO_FN_REVEAL, "reveal(bytes32,bytes32)", "")                                               \
    X(POCO_FN_REVEAL_DEADLINE_RATIO, "reveal_deadline_ratio()", "uint256")                         \
    X(POCO_FN_SET_CALLBACK_GAS, "setCallbackGas(uint256)", "")                                     \
    X(POCO_FN_SET_TEE_BROKER, "setTeeBroker(address)", "")                                         \
    X(POCO_FN_SPONSOR_MATCH_ORDERS,                                                                \
      "sponsorMatchOrders(" POCO_T_ORDER "," POCO_T_ORDER "," POCO_T_WORKERPOOL "," POCO_T_REQUEST \
      ")",                                                                                         \
      "bytes32")                                                                                   \
    X(POCO_FN_SYMBOL, "symbol()", "string")                                                        \
    X(POCO_FN_TEEBROKER, "teebroker()", "address")                                                 \
    X(POCO_FN_TOKEN, "token()", "address")                                                         \
    X(POCO_FN_TOTAL_SUPPLY, "totalSupply()", "uint256")                                            \
    X(POCO_FN_TRANSFER, "transfer(address,uint256)", "bool")                                       \
    X(POCO_FN_TRANSFER_FROM, "transferFrom(address,address,uint256)", "bool")                      \
    X(POCO_FN_TRANSFER_OWNERSHIP, "transferOwnership(address)", "")                                \
    X(POCO_FN_UPDATE_DOMAIN_SEPARATOR, "updateDomainSeparator()", "")                              \
    X(POCO_FN_VERIFY_PRESIGNATURE, "verifyPresignature(address,bytes32)", "bool")                  \
    X(POCO_FN_VERIFY_PRESIGNATURE_OR_SIGNATURE,                                                    \
      "verifyPresignatureOrSignature(address,bytes32,bytes)", "bool")                              \
    X(POCO_FN_VERIFY_SIGNATURE, "verifySignature(address,bytes32,bytes)", "bool")                  \
    X(POCO_FN_VIEW_ACCOUNT, "viewAccount(address)", "(uint256,uint256)")                           \
    X(POCO_FN_VIEW_ACCOUNT_ABI_LEGACY, "viewAccountABILegacy(address)", "uint256,uint256")         \
    X(POCO_FN_VIEW_APP, "viewApp(address)", "(address,string,string,bytes,bytes32,bytes)")         \
    X(POCO_FN_VIEW_CATEGORY, "viewCategory(uint256)", "(string,string,uint256)")                   \
    X(POCO_FN_VIEW_CATEGORY_ABI_LEGACY, "viewCategoryABILegacy(uint256)", "string,string,uint256") \
    X(POCO_FN_VIEW_CONFIG_ABI_LEGACY, "viewConfigABILegacy(bytes32)",                              \
      "uint256,uint256,uint256,uint256,uint256,uint256")                                           \
    X(POCO_FN_VIEW_CONSUMED, "viewConsumed(bytes32)", "uint256")                                   \
    X(POCO_FN_VIEW_CONTRIBUTION, "viewContribution(bytes32,address)",                              \
      "(uint8,bytes32,bytes32,address,uint256)")                                                   \
    X(POCO_FN_VIEW_CONTRIBUTION_ABI_LEGACY, "viewContributionABILegacy(bytes32,address)",          \
      "uint8,bytes32,bytes32,address")                                                             \
    X(POCO_FN_VIEW_DATASET, "viewDataset(address)", "(address,string,bytes,bytes32)")              \
    X(POCO_FN_VIEW_DEAL, "viewDeal(bytes32)",                                                      \
      "((address,address,uint256),(address,address,uint256),(address,address,uint256),uint256,"    \
      "uint256,bytes32,address,address,address,string,uint256,uint256,uint256,uint256,uint256,"    \
      "address)")                                                                                  \
    X(POCO_FN_VIEW_DEAL_ABI_LEGACY_PT1, "viewDealABILegacy_pt1(bytes32)",                          \
      "address,address,uint256,address,address,uint256,address,address,uint256")                   \
    X(POCO_FN_VIEW_DEAL_ABI_LEGACY_PT2, "viewDealABILegacy_pt2(bytes32)",                          \
      "uint256,bytes32,address,address,address,string")                                            \
    X(POCO_FN_VIEW_PRESIGNED, "viewPresigned(bytes32)", "address")                                 \
    X(POCO_FN_VIEW_SCORE, "viewScore(address)", "uint256")                                         \
    X(POCO_FN_VIEW_TASK, "viewTask(bytes32)",                                                      \
      "(uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],"  \
      "bytes32,bytes,uint256,bytes)")                                                              \
    X(POCO_FN_VIEW_TASK_ABI_LEGACY, "viewTaskABILegacy(bytes32)",                                  \
      "uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],"   \
      "bytes")                                                                                     \
    X(POCO_FN_VIEW_WORKERPOOL, "viewWorkerpool(address)", "(address,string,uint256,uint256)")      \
    X(POCO_FN_WITHDRAW, "withdraw(uint256)", "bool")                                               \
    X(POCO_FN_WITHDRAW_TO, "withdrawTo(uint256,address)", "bool")                                  \
    X(POCO_FN_WORKERPOOL_STAKE_RATIO, "workerpool_stake_ratio()", "uint256")                       \
    X(POCO_FN_WORKERPOOLREGISTRY, "workerpoolregistry()", "address")                               \
    X(POCO_FN_DIAMOND_CUT, "diamondCut((address,uint8,bytes4[])[],address,bytes)", "")             \
    X(POCO_FN_FACET_ADDRESS, "facetAddress(bytes4)", "address")                                    \
    X(POCO_FN_FACET_ADDRESSES, "facetAddresses()", "address[]")                                    \
    X(POCO_FN_FACET_FUNCTION_SELECTORS, "facetFunctionSelectors(address)", "bytes4[]")             \
    X(POCO_FN_FACETS, "facets()", "(address,bytes4[])[]")                                          \
    X(POCO_FN_SUPPORTS_INTERFACE, "supportsInterface(bytes4)", "bool")                             \
    /* the registries */                                                                           \
    X(POCO_FN_APPROVE721, "approve(address,uint256)", "")                                          \
    X(POCO_FN_BASE_URI, "baseURI()", "string")                                                     \
    X(POCO_FN_CREATE_APP, "createApp(address,string,string,bytes,bytes32,bytes)", "address")       \
    X(POCO_FN_GET_APPROVED, "getApproved(uint256)", "address")                                     \
    X(POCO_FN_INITIALIZE_REGISTRY, "initialize(address)", "")                                      \
    X(POCO_FN_INITIALIZED, "initialized()", "bool")                                                \
    X(POCO_FN_IS_APPROVED_FOR_ALL, "isApprovedForAll(address,address)", "bool")                    \
    X(POCO_FN_IS_REGISTERED, "isRegistered(address)", "bool")                                      \
    X(POCO_FN_MASTER, "master()", "address")                                                       \
    X(POCO_FN_OWNER_OF, "ownerOf(uint256)", "address")                                             \
    X(POCO_FN_PREDICT_APP, "predictApp(address,string,string,bytes,bytes32,bytes)", "address")     \
    X(POCO_FN_PREVIOUS, "previous()", "address")                                                   \
    X(POCO_FN_PROXY_CODE, "proxyCode()", "bytes")                                                  \
    X(POCO_FN_PROXY_CODE_HASH, "proxyCodeHash()", "bytes32")                                       \
    X(POCO_FN_SAFE_TRANSFER_FROM, "safeTransferFrom(address,address,uint256)", "")                 \
    X(POCO_FN_SAFE_TRANSFER_FROM_DATA, "safeTransferFrom(address,address,uint256,bytes)", "")      \
    X(POCO_FN_SET_APPROVAL_FOR_ALL, "setApprovalForAll(address,bool)", "")                         \
    X(POCO_FN_SET_BASE_URI, "setBaseURI(string)", "")                                              \
    X(POCO_FN_SET_NAME, "setName(address,string)", "")                                             \
    X(POCO_FN_TOKEN_BY_INDEX, "tokenByIndex(uint256)", "uint256")                                  \
    X(POCO_FN_TOKEN_OF_OWNER_BY_INDEX, "tokenOfOwnerByIndex(address,uint256)", "uint256")          \
    X(POCO_FN_TOKEN_URI, "tokenURI(uint256)", "string")                                            \
    X(POCO_FN_TRANSFER_FROM721, "transferFrom(address,address,uint256)", "")                       \
    X(POCO_FN_CREATE_DATASET, "createDataset(address,string,bytes,bytes32)", "address")            \
    X(POCO_FN_PREDICT_DATASET, "predictDataset(address,string,bytes,bytes32)", "address")          \
    X(POCO_FN_CREATE_WORKERPOOL, "createWorkerpool(address,string)", "address")                    \
    X(POCO_FN_PREDICT_WORKERPOOL, "predictWorkerpool(address,string)", "address")                  \
    /* their entries */                                                                            \
    X(POCO_FN_INITIALIZE_APP, "initialize(string,string,bytes,bytes32,bytes)", "")                 \
    X(POCO_FN_APP_CHECKSUM, "m_appChecksum()", "bytes32")                                          \
    X(POCO_FN_APP_MR_ENCLAVE, "m_appMREnclave()", "bytes")                                         \
    X(POCO_FN_APP_MULTIADDR, "m_appMultiaddr()", "bytes")                                          \
    X(POCO_FN_APP_NAME, "m_appName()", "string")                                                   \
    X(POCO_FN_APP_TYPE, "m_appType()", "string")                                                   \
    X(POCO_FN_REGISTRY, "registry()", "address")                                                   \
    X(POCO_FN_INITIALIZE_DATASET, "initialize(string,bytes,bytes32)", "")                          \
    X(POCO_FN_DATASET_CHECKSUM, "m_datasetChecksum()", "bytes32")                                  \
    X(POCO_FN_DATASET_MULTIADDR, "m_datasetMultiaddr()", "bytes")                                  \
    X(POCO_FN_DATASET_NAME, "m_datasetName()", "string")                                           \
    X(POCO_FN_CHANGE_POLICY, "changePolicy(uint256,uint256)", "")                                  \
    X(POCO_FN_INITIALIZE_WORKERPOOL, "initialize(string)", "")                                     \
    X(POCO_FN_SCHEDULER_REWARD_RATIO_POLICY, "m_schedulerRewardRatioPolicy()", "uint256")          \
    X(POCO_FN_WORKER_STAKE_RATIO_POLICY, "m_workerStakeRatioPolicy()", "uint256")                  \
    X(POCO_FN_WORKERPOOL_DESCRIPTION, "m_workerpoolDescription()", "string")                       \
    /* what others implement: callbacks, groups (ERC-734) */                                       \
    X(POCO_FN_RECEIVE_RESULT, "receiveResult(bytes32,bytes)", "")                                  \
    X(POCO_FN_KEY_HAS_PURPOSE, "keyHasPurpose(bytes32,uint256)", "bool")                           \
    /* DataProtector */                                                                            \
    X(POCO_FN_CREATE_DATASET_WITH_SCHEMA,                                                          \
      "createDatasetWithSchema(address,string,string,bytes,bytes32)", "address")                   \
    /* RLC beyond ERC-20 (a development network's) */                                              \
    X(POCO_FN_PERMIT, "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", "")         \
    X(POCO_FN_NONCES, "nonces(address)", "uint256")                                                \
    X(POCO_FN_DOMAIN_SEPARATOR, "DOMAIN_SEPARATOR()", "bytes32")                                   \
    /* whitelists: a group whose owner lets members in and out */                                  \
    X(POCO_FN_WHITELIST_SET, "set(address[],bool)", "")                                            \
    X(POCO_FN_WHITELIST_IS_MEMBER, "isMember(address)", "bool")
#define POCO_FN_ENUM(name, sig, types) name,
typedef enum { POCO_FUNCTIONS(POCO_FN_ENUM) POCO_FN_N } poco_fn;
#undef POCO_FN_ENUM

const char *poco_fn_signature(poco_fn f);
const char *poco_fn_answer_types(poco_fn f);
/* Appends the call to b. SR_E_USAGE: other arguments than the signature's; SR_E_RANGE. */
SR_CHECK sr_status poco_fn_encode(struct buf *b, poco_fn f, const struct abi_val *v, size_t n,
                                  struct sr_err *err);
/* poco_fn_call(&b, POCO_FN_DEPOSIT_FOR, err, av_u256(amount), av_addr(&who)) */
#define poco_fn_call(b, f, err, ...)                                                               \
    poco_fn_encode((b), (f), (const struct abi_val[]){__VA_ARGS__},                                \
                   sizeof((const struct abi_val[]){__VA_ARGS__}) / sizeof(struct abi_val), (err))
#define poco_fn_call0(b, f, err) poco_fn_encode((b), (f), NULL, 0, (err))
/* Which function calldata calls, by its selector alone: functions of several contracts that share
 * it are one, the hub's. SR_E_NOTFOUND. */
SR_CHECK sr_status poco_fn_of(struct slice data, poco_fn *ret, struct sr_err *err);
/* The arguments of a call of f, strictly. ret owned: abi_out_done. SR_E_NOTFOUND: another call. */
SR_CHECK sr_status poco_fn_args(poco_fn f, struct slice data, struct abi_out *ret,
                                struct sr_err *err);
/* What f answered. ret owned: abi_out_done, bytes borrowed from data. SR_E_MALFORMED. */
SR_CHECK sr_status poco_fn_answer(poco_fn f, struct slice data, struct abi_out *ret,
                                  struct sr_err *err);

/* sponsorMatchOrders: the caller pays. dataset NULL: the null order. */
SR_CHECK sr_status poco_enc_sponsor_match(struct buf *b, const struct poco_order *app,
                                          const struct poco_order *dataset,
                                          const struct poco_order *workerpool,
                                          const struct poco_order *request, struct sr_err *err);
/* computeDealVolume of the same. */
SR_CHECK sr_status poco_enc_deal_volume(struct buf *b, const struct poco_order *app,
                                        const struct poco_order *dataset,
                                        const struct poco_order *workerpool,
                                        const struct poco_order *request, struct sr_err *err);
/* The relay: an order told to everybody who follows the hub's events, and the reading of it.
 * SR_E_NOTFOUND: not a broadcast. ret borrows params from data. */
SR_CHECK sr_status poco_enc_broadcast(struct buf *b, const struct poco_order *o,
                                      struct sr_err *err);
SR_CHECK sr_status poco_broadcast_read(const struct hash *topics, size_t n_topics,
                                       struct slice data, struct poco_order *ret,
                                       struct sr_err *err);
