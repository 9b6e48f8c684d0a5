// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    Account,
    Category,
    AppInfo,
    DatasetInfo,
    WorkerpoolInfo,
    Deal,
    TaskStatus,
    Task,
    Contribution,
    AppOrder,
    DatasetOrder,
    WorkerpoolOrder,
    RequestOrder
} from "../lib/Types.sol";
import {Store, K} from "../lib/Store.sol";
import {Ledger} from "../lib/Ledger.sol";
import {OrderHash} from "../lib/OrderHash.sol";
import {Orders} from "../lib/Orders.sol";
import {Views} from "../lib/Views.sol";

interface IEntryViews {
    function owner() external view returns (address);

    function m_appName() external view returns (string memory);

    function m_appType() external view returns (string memory);

    function m_appMultiaddr() external view returns (bytes memory);

    function m_appChecksum() external view returns (bytes32);

    function m_appMREnclave() external view returns (bytes memory);

    function m_datasetName() external view returns (string memory);

    function m_datasetMultiaddr() external view returns (bytes memory);

    function m_datasetChecksum() external view returns (bytes32);

    function m_workerpoolDescription() external view returns (string memory);

    function m_workerStakeRatioPolicy() external view returns (uint256);

    function m_schedulerRewardRatioPolicy() external view returns (uint256);
}

/* Everything that can be read, in the shapes of the current ABI. */
contract AccessorsFacet {
    /* ---- staked RLC ---- */

    function name() external view returns (string memory) {
        return Store.load().name;
    }

    function symbol() external view returns (string memory) {
        return Store.load().symbol;
    }

    function decimals() external view returns (uint8) {
        return Store.load().decimals;
    }

    function totalSupply() external view returns (uint256) {
        return Store.load().totalSupply;
    }

    function balanceOf(address account) external view returns (uint256) {
        return Ledger.balance(account);
    }

    function frozenOf(address account) external view returns (uint256) {
        return Ledger.frozen(account);
    }

    function allowance(address account, address spender) external view returns (uint256) {
        return Store.load().allowances[account][spender];
    }

    function viewAccount(address account) external view returns (Account memory) {
        return Account(Ledger.balance(account), Ledger.frozen(account));
    }

    function token() external view returns (address) {
        return Store.load().token;
    }

    /* ---- orders, deals, tasks ---- */

    function viewDeal(bytes32 id) external view returns (Deal memory) {
        return Views.deal(id);
    }

    function viewConsumed(bytes32 id) external view returns (uint256) {
        return Orders.consumed(id, Orders.get(id));
    }

    function viewPresigned(bytes32 id) external view returns (address) {
        return Orders.presigner(id);
    }

    function viewTask(bytes32 id) external view returns (Task memory) {
        return Views.task(id);
    }

    function viewContribution(bytes32 id, address worker) external view returns (Contribution memory) {
        return Views.contribution(id, worker);
    }

    function viewScore(address worker) external view returns (uint256) {
        return Store.load().scores[worker];
    }

    function resultFor(bytes32 id) external view returns (bytes memory) {
        Task memory t = Views.task(id);
        require(t.status == TaskStatus.COMPLETED, "task-pending");
        return t.resultsCallback;
    }

    function computeDealVolume(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) external view returns (uint256 volume) {
        OrderHash.checkApp(appOrder);
        OrderHash.checkDataset(datasetOrder);
        OrderHash.checkWorkerpool(workerpoolOrder);
        OrderHash.checkRequest(requestOrder);
        volume = left(OrderHash.app(appOrder), appOrder.volume, type(uint256).max);
        if (datasetOrder.dataset != address(0)) {
            volume = left(OrderHash.dataset(datasetOrder), datasetOrder.volume, volume);
        }
        volume = left(OrderHash.workerpool(workerpoolOrder), workerpoolOrder.volume, volume);
        volume = left(OrderHash.request(requestOrder), requestOrder.volume, volume);
    }

    function left(bytes32 structHash, uint256 volume, uint256 most) private view returns (uint256 rest) {
        bytes32 hash = OrderHash.typed(Store.load().domainSeparator, structHash);
        rest = volume - Orders.consumed(hash, Orders.get(hash));
        if (rest > most) rest = most;
    }

    /* ---- categories ---- */

    function countCategory() external view returns (uint256) {
        return Store.load().categoryCount;
    }

    function viewCategory(uint256 id) external view returns (Category memory) {
        require(id < Store.load().categoryCount);
        return Views.category(id);
    }

    /* ---- registries and entries ---- */

    function appregistry() external view returns (address) {
        return Store.load().appRegistry;
    }

    function datasetregistry() external view returns (address) {
        return Store.load().datasetRegistry;
    }

    function workerpoolregistry() external view returns (address) {
        return Store.load().workerpoolRegistry;
    }

    function viewApp(address app) external view returns (AppInfo memory) {
        IEntryViews e = IEntryViews(app);
        return
            AppInfo(e.owner(), e.m_appName(), e.m_appType(), e.m_appMultiaddr(), e.m_appChecksum(), e.m_appMREnclave());
    }

    function viewDataset(address dataset) external view returns (DatasetInfo memory) {
        IEntryViews e = IEntryViews(dataset);
        return DatasetInfo(e.owner(), e.m_datasetName(), e.m_datasetMultiaddr(), e.m_datasetChecksum());
    }

    function viewWorkerpool(address workerpool) external view returns (WorkerpoolInfo memory) {
        IEntryViews e = IEntryViews(workerpool);
        return WorkerpoolInfo(
            e.owner(), e.m_workerpoolDescription(), e.m_workerStakeRatioPolicy(), e.m_schedulerRewardRatioPolicy()
        );
    }

    /* ---- configuration ---- */

    function teebroker() external view returns (address) {
        return Store.load().teeBroker;
    }

    function callbackgas() external view returns (uint256) {
        return Store.load().callbackGas;
    }

    function eip712domain_separator() external view returns (bytes32) {
        return Store.load().domainSeparator;
    }

    function contribution_deadline_ratio() external pure returns (uint256) {
        return K.CONTRIBUTION_DEADLINE_RATIO;
    }

    function reveal_deadline_ratio() external pure returns (uint256) {
        return K.REVEAL_DEADLINE_RATIO;
    }

    function final_deadline_ratio() external pure returns (uint256) {
        return K.FINAL_DEADLINE_RATIO;
    }

    function workerpool_stake_ratio() external pure returns (uint256) {
        return K.WORKERPOOL_STAKE_RATIO;
    }

    function kitty_ratio() external pure returns (uint256) {
        return K.KITTY_RATIO;
    }

    function kitty_min() external pure returns (uint256) {
        return K.KITTY_MIN;
    }

    function kitty_address() external pure returns (address) {
        return K.KITTY;
    }

    function groupmember_purpose() external pure returns (uint256) {
        return K.GROUPMEMBER_PURPOSE;
    }
}
