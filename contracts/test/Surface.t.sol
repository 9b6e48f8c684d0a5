// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {Vm} from "./Test.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

interface IMore {
    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function decimals() external view returns (uint8);
    function token() external view returns (address);
    function appregistry() external view returns (address);
    function datasetregistry() external view returns (address);
    function workerpoolregistry() external view returns (address);
    function teebroker() external view returns (address);
    function callbackgas() external view returns (uint256);
    function contribution_deadline_ratio() external view returns (uint256);
    function reveal_deadline_ratio() external view returns (uint256);
    function final_deadline_ratio() external view returns (uint256);
    function workerpool_stake_ratio() external view returns (uint256);
    function kitty_ratio() external view returns (uint256);
    function kitty_min() external view returns (uint256);
    function kitty_address() external view returns (address);
    function groupmember_purpose() external view returns (uint256);
    function viewDataset(address) external view returns (DatasetInfo memory);
    function viewWorkerpool(address) external view returns (WorkerpoolInfo memory);
    function predictDataset(address, string calldata, bytes calldata, bytes32) external view returns (address);
    function predictWorkerpool(address, string calldata) external view returns (address);
    function proxyCode() external view returns (bytes memory);
    function proxyCodeHash() external view returns (bytes32);
    function setName(address, string calldata) external;
    function previous() external view returns (address);
    function initialized() external view returns (bool);
    function broadcastAppOrder(AppOrder calldata) external;
    function broadcastDatasetOrder(DatasetOrder calldata) external;
    function broadcastWorkerpoolOrder(WorkerpoolOrder calldata) external;
    function broadcastRequestOrder(RequestOrder calldata) external;
    function assertDatasetDealCompatibility(DatasetOrder calldata, bytes32) external view;
    function verifyPresignatureOrSignature(address, bytes32, bytes calldata) external view returns (bool);
    function initialize(string calldata, bytes calldata, bytes32) external;
    function initialize(string calldata, string calldata, bytes calldata, bytes32, bytes calldata) external;
}

/* Small functions, and every reason matchOrders can give. */
contract SurfaceTest is Base {
    IMore private h;

    function setUp() public override {
        super.setUp();
        h = IMore(address(hub));
    }

    function test_constants_and_addresses() public {
        eq(bytes(h.name()), "Staked RLC", "name");
        eq(bytes(h.symbol()), "SRLC", "symbol");
        eq(h.decimals(), 9, "decimals");
        eq(h.token(), address(rlc), "token");
        eq(h.appregistry(), address(apps), "apps");
        eq(h.datasetregistry(), address(datasets), "datasets");
        eq(h.workerpoolregistry(), address(pools), "pools");
        eq(h.callbackgas(), 200_000, "callback gas");
        hub.setCallbackGas(7);
        eq(h.callbackgas(), 7, "callback gas");
        hub.setTeeBroker(sponsor);
        eq(h.teebroker(), sponsor, "broker");
        eq(h.contribution_deadline_ratio(), 7, "contribution");
        eq(h.reveal_deadline_ratio(), 2, "reveal");
        eq(h.final_deadline_ratio(), 10, "final");
        eq(h.workerpool_stake_ratio(), 30, "stake");
        eq(h.kitty_ratio(), 10, "kitty");
        eq(h.kitty_min(), 1e9, "kitty");
        eq(h.kitty_address(), KITTY, "kitty");
        eq(h.kitty_address(), address(uint160(uint160(bytes20(keccak256("iExecKitty"))) - 1)), "kitty");
        eq(h.groupmember_purpose(), 4, "purpose");
        eq(hub.countCategory(), 2, "categories");
        vm.expectRevert();
        hub.viewCategory(2);
        (bool no, bytes memory answer) =
            refused(sponsor, address(hub), abi.encodeCall(IHub.viewCategoryABILegacy, (2)));
        yes(no, "unknown");
        eq(answer, abi.encodeWithSignature("Panic(uint256)", 0x32), "out of bounds");
        stake(sponsor, 5);
        (uint256 free, uint256 locked) = hub.viewAccountABILegacy(sponsor);
        eq(free, 5, "legacy account");
        eq(locked, 0, "legacy account");
        vm.expectRevert(says("task-pending"));
        hub.resultFor(bytes32(0));
    }

    function test_entries_in_one_call() public {
        AppInfo memory a = hub.viewApp(app);
        eq(a.owner, appOwner, "app");
        eq(bytes(a.m_appType), "DOCKER", "app");
        DatasetInfo memory d = h.viewDataset(dataset);
        eq(d.owner, dataOwner, "dataset");
        eq(bytes(d.m_datasetName), "data", "dataset");
        eq(d.m_datasetMultiaddr, "multiaddr", "dataset");
        eq(d.m_datasetChecksum, keccak256("data"), "dataset");
        WorkerpoolInfo memory w = h.viewWorkerpool(pool);
        eq(w.owner, scheduler, "pool");
        eq(bytes(w.m_workerpoolDescription), "pool", "pool");
        eq(w.m_workerStakeRatioPolicy, 30, "pool");
        vm.expectRevert();
        hub.viewApp(dataset);
        vm.expectRevert();
        h.viewDataset(sponsor);
        eq(
            IMore(address(datasets)).predictDataset(dataOwner, "data", "multiaddr", keccak256("data")),
            dataset,
            "predicted"
        );
        eq(IMore(address(pools)).predictWorkerpool(scheduler, "pool"), pool, "predicted");
        IMore r = IMore(address(pools));
        eq(keccak256(r.proxyCode()), r.proxyCodeHash(), "proxy code");
        eq(r.previous(), address(0), "previous");
        yes(r.initialized(), "initialized");
        vm.expectRevert();
        pools.initialize(address(0));
        vm.expectRevert(says("Operation not supported on this chain"));
        r.setName(address(0), "x");
        vm.expectRevert(says("caller is not the owner"));
        IMore(dataset).setName(address(0), "x");
        vm.prank(dataOwner);
        vm.expectRevert(says("Operation not supported on this chain"));
        IMore(dataset).setName(address(0), "x");
        vm.expectRevert(says("already initialized"));
        IMore(dataset).initialize("", "", 0);
        vm.expectRevert(says("already initialized"));
        IMore(app).initialize("", "", "", 0, "");
        vm.expectRevert(abi.encodeWithSignature("ERC721InvalidReceiver(address)", address(0)));
        pools.createWorkerpool(address(0), "x");
    }

    function test_orders_are_relayed_as_they_are() public {
        Orders memory o = orders(3);
        signAll(o);
        vm.recordLogs();
        h.broadcastAppOrder(o.a);
        h.broadcastDatasetOrder(o.d);
        h.broadcastWorkerpoolOrder(o.w);
        h.broadcastRequestOrder(o.r);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq(logs[0].data, abi.encode(o.a), "app order");
        eq(logs[1].data, abi.encode(o.d), "dataset order");
        eq(logs[2].data, abi.encode(o.w), "workerpool order");
        eq(logs[3].data, abi.encode(o.r), "request order");
        eq(logs[3].topics[0], 0x54bee205d9b03332d6dc82bc907476dfef6ed4fd86058d49a72994baee781175, "topic");
    }

    function test_owners_sign_and_close_every_kind_of_order() public {
        Orders memory o = orders(3);
        vm.prank(dataOwner);
        hub.manageDatasetOrder(DatasetOrderOperation(o.d, OrderOperation.SIGN, ""));
        vm.prank(scheduler);
        hub.manageWorkerpoolOrder(WorkerpoolOrderOperation(o.w, OrderOperation.SIGN, ""));
        vm.prank(appOwner);
        hub.manageAppOrder(AppOrderOperation(o.a, OrderOperation.SIGN, ""));
        vm.prank(requester);
        hub.manageRequestOrder(RequestOrderOperation(o.r, OrderOperation.SIGN, ""));
        yes(h.verifyPresignatureOrSignature(requester, hashRequest(o.r), ""), "presigned");
        hub.matchOrders(o.a, o.d, o.w, o.r);
        vm.prank(dataOwner);
        hub.manageDatasetOrder(DatasetOrderOperation(o.d, OrderOperation.CLOSE, ""));
        vm.prank(scheduler);
        hub.manageWorkerpoolOrder(WorkerpoolOrderOperation(o.w, OrderOperation.CLOSE, ""));
        eq(hub.viewConsumed(hashDataset(o.d)), 3, "closed");
        eq(hub.viewConsumed(hashPool(o.w)), 3, "closed");
        o = orders(2);
        vm.prank(appOwner);
        hub.manageAppOrder(AppOrderOperation(o.a, OrderOperation.CLOSE, ""));
        eq(hub.computeDealVolume(o.a, o.d, o.w, o.r), 0, "nothing left");
        vm.prank(sponsor);
        vm.expectRevert(says("invalid-sender-or-signature"));
        hub.manageAppOrder(AppOrderOperation(o.a, OrderOperation.SIGN, new bytes(65)));
    }

    function fails(Orders memory o, string memory code) internal {
        signAll(o);
        (bool no, bytes memory answer) =
            refused(sponsor, address(hub), abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r)));
        yes(no, code);
        eq(answer, says(string.concat("iExecV5-matchOrders-0x", code)), code);
    }

    function test_every_reason_not_to_match() public {
        Orders memory o = orders(1);
        o.w.category = 1;
        fails(o, "00");
        o.r.category = o.w.category = 2;
        fails(o, "01");
        o = orders(1);
        o.r.trust = 1;
        fails(o, "02");
        o = orders(1);
        o.a.appprice = 1;
        fails(o, "03");
        o = orders(1);
        o.d.datasetprice = 1;
        fails(o, "04");
        o = orders(1);
        o.w.workerpoolprice = 1;
        fails(o, "05");
        o = orders(1);
        o.r.tag = bytes32(uint256(16));
        fails(o, "06");
        o.r.tag = o.w.tag = bytes32(uint256(1));
        fails(o, "07");
        o = orders(1);
        o.r.app = dataset;
        fails(o, "10");
        o = orders(1);
        o.r.dataset = app;
        fails(o, "11");
        o = orders(1);
        o.r.workerpool = app;
        fails(o, "12");
        o = orders(1);
        o.a.datasetrestrict = app;
        fails(o, "13");
        o = orders(1);
        o.a.workerpoolrestrict = app;
        fails(o, "14");
        o = orders(1);
        o.a.requesterrestrict = sponsor;
        fails(o, "15");
        o = orders(1);
        o.d.apprestrict = sponsor;
        fails(o, "16");
        o = orders(1);
        o.d.workerpoolrestrict = sponsor;
        fails(o, "17");
        o = orders(1);
        o.d.requesterrestrict = sponsor;
        fails(o, "18");
        o = orders(1);
        o.w.apprestrict = sponsor;
        fails(o, "19");
        o = orders(1);
        o.w.datasetrestrict = sponsor;
        fails(o, "1a");
        o = orders(1);
        o.w.requesterrestrict = sponsor;
        fails(o, "1b");
        address stranger = vm.deployCode("Mocks.sol:OwnableMock", abi.encode(appOwner));
        o = orders(1);
        o.a.app = o.r.app = stranger;
        fails(o, "20");
        o = orders(1);
        o.d.dataset = o.r.dataset = stranger;
        fails(o, "30");
        o = orders(1);
        o.w.workerpool = o.r.workerpool = stranger;
        fails(o, "40");
        o = orders(0);
        fails(o, "60");
        o = orders(1);
        signAll(o);
        bytes memory good = o.a.sign;
        o.a.sign = o.r.sign;
        vm.expectRevert(says("iExecV5-matchOrders-0x21"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        o.a.sign = good;
        (o.d.sign, good) = (o.r.sign, o.d.sign);
        vm.expectRevert(says("iExecV5-matchOrders-0x31"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        o.d.sign = good;
        (o.w.sign, good) = (o.r.sign, o.w.sign);
        vm.expectRevert(says("iExecV5-matchOrders-0x41"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        o.w.sign = good;
        (o.r.sign, good) = (o.w.sign, o.r.sign);
        vm.expectRevert(says("iExecV5-matchOrders-0x50"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        o.r.sign = good;
        hub.matchOrders(o.a, o.d, o.w, o.r);
        o = orders(1);
        price(o, 1, 0, 0);
        signAll(o);
        vm.expectRevert(says("IexecEscrow: Transfer amount exceeds balance"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
    }

    function incompatible(DatasetOrder memory d, bytes32 deal, string memory reason) internal {
        d.sign = signature(DATA_OWNER, hashDataset(d));
        vm.expectRevert(abi.encodeWithSignature("IncompatibleDatasetOrder(string)", reason));
        h.assertDatasetDealCompatibility(d, deal);
    }

    function test_every_reason_why_data_does_not_fit_a_deal() public {
        Orders memory o = orders(2);
        bytes32 full = match_(o);
        Orders memory bare = orders(2);
        noDataset(bare);
        bytes32 deal = match_(bare);
        DatasetOrder memory d = orders(2).d;
        d.sign = signature(DATA_OWNER, hashDataset(d));
        h.assertDatasetDealCompatibility(d, deal);
        incompatible(d, full, "Deal already has a dataset");
        incompatible(d, keccak256("none"), "Deal not found");
        incompatible(o.d, deal, "Dataset order is revoked or fully consumed");
        d.apprestrict = sponsor;
        incompatible(d, deal, "App restriction not satisfied");
        d.apprestrict = address(0);
        d.workerpoolrestrict = sponsor;
        incompatible(d, deal, "Workerpool restriction not satisfied");
        d.workerpoolrestrict = address(0);
        d.requesterrestrict = sponsor;
        incompatible(d, deal, "Requester restriction not satisfied");
        d.requesterrestrict = address(0);
        d.tag = bytes32(uint256(1));
        incompatible(d, deal, "Tag compatibility not satisfied");
        d.tag = bytes32(uint256(0x0e));
        d.sign = signature(DATA_OWNER, hashDataset(d));
        h.assertDatasetDealCompatibility(d, deal);
        d.sign = signature(SPONSOR, hashDataset(d));
        vm.expectRevert(
            abi.encodeWithSignature("IncompatibleDatasetOrder(string)", "Invalid dataset order signature")
        );
        h.assertDatasetDealCompatibility(d, deal);
    }
}
