// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {Vm} from "./Test.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

interface ISharing {
    struct Params {
        uint72 price;
        uint40 duration;
    }

    struct Selling {
        bool isForSale;
        uint72 price;
    }

    function initialize(address) external;
    function updateEnv(string calldata) external;
    function createCollection(address) external returns (uint256);
    function burn(uint256) external;
    function addProtectedDataToCollection(uint256, address, address) external;
    function removeProtectedDataFromCollection(address) external;
    function setSubscriptionParams(uint256, Params calldata) external;
    function setProtectedDataToSubscription(address) external;
    function removeProtectedDataFromSubscription(address) external;
    function subscribeToCollection(uint256, Params calldata) external returns (uint48);
    function setProtectedDataToRenting(address, Params calldata) external;
    function removeProtectedDataFromRenting(address) external;
    function rentProtectedData(address, Params calldata) external returns (uint48);
    function setProtectedDataForSale(address, uint72) external;
    function removeProtectedDataForSale(address) external;
    function buyProtectedData(address, address, uint72) external;
    function consumeProtectedData(address, WorkerpoolOrder calldata, address) external returns (bytes32);
    function receiveApproval(address, uint256, address, bytes calldata) external returns (bool);
    function getCollectionSubscriber(uint256, address) external view returns (uint48);
    function getProtectedDataRenter(address, address) external view returns (uint48);
    function collectionDetails(uint256) external view returns (uint256, uint48, Params memory);
    function protectedDataDetails(address)
        external
        view
        returns (uint256, address, uint48, bool, Params memory, Selling memory);
    function ownerOf(uint256) external view returns (address);
    function approve(address, uint256) external;
    function multicall(bytes[] calldata) external returns (bytes[] memory);
    function supportsInterface(bytes4) external view returns (bool);
    function ADD_ONLY_APP_WHITELIST_REGISTRY() external view returns (address);
    function safeTransferFrom(address, address, uint256) external;
    function earning(address) external view returns (uint256);
}

interface IListRegistry {
    function createAddOnlyAppWhitelist(address) external returns (address);
    function isAuthorized(address, uint256) external view returns (bool);
    function ownerOf(uint256) external view returns (address);
    function initialize() external;
    function _implementationAddress() external view returns (address);
    function safeTransferFrom(address, address, uint256) external;
}

interface IList {
    function addApp(address) external;
    function isRegistered(address) external view returns (bool);
    function keyHasPurpose(bytes32, uint256) external view returns (bool);
    function owner() external view returns (address);
    function transferOwnership(address) external;
}

interface IMembers {
    function set(address[] calldata, bool) external;
    function transferOwnership(address) external;
    function keyHasPurpose(bytes32, uint256) external view returns (bool);
    function owner() external view returns (address);
}

contract SharingTest is Base {
    ISharing private sharing;
    IListRegistry private lists;
    IList private list;
    uint256 private collection;
    address private reader = vm.addr(0xd001);
    address private other = vm.addr(0xd002);
    ISharing.Params private terms = ISharing.Params(100, 1000);

    function setUp() public override {
        super.setUp();
        lists = IListRegistry(artifact("AddOnlyAppWhitelist", "AddOnlyAppWhitelistRegistry"));
        sharing = ISharing(
            vm.deployCode(
                "DataProtectorSharing.sol:DataProtectorSharing",
                abi.encode(address(hub), address(datasets), address(lists))
            )
        );
        sharing.initialize(address(this));
        list = IList(lists.createAddOnlyAppWhitelist(dataOwner));
        vm.prank(dataOwner);
        list.addApp(app);
        vm.prank(appOwner);
        apps.safeTransferFrom(appOwner, address(sharing), uint160(app));
        vm.startPrank(dataOwner);
        collection = sharing.createCollection(dataOwner);
        datasets.approve(address(sharing), uint160(dataset));
        sharing.addProtectedDataToCollection(collection, dataset, address(list));
        vm.stopPrank();
        stake(reader, 1000);
    }

    function fails(address who, bytes memory call, bytes memory want) internal {
        (bool no, bytes memory answer) = refused(who, address(sharing), call);
        yes(no, "refused");
        eq(answer, want, "why");
    }

    function error1(string memory text, uint256 a) internal pure returns (bytes memory) {
        return abi.encodeWithSignature(text, a);
    }

    function poolOrder(uint256 tag) internal returns (WorkerpoolOrder memory w) {
        Orders memory o = orders(10);
        w = o.w;
        w.tag = bytes32(tag);
        w.sign = signature(SCHEDULER, hashPool(w));
    }

    function asOwner() internal {
        vm.prank(dataOwner);
    }

    function test_data_in_a_collection_is_held_and_counted() public view {
        eq(datasets.ownerOf(uint160(dataset)), address(sharing), "custody");
        (uint256 size,,) = sharing.collectionDetails(collection);
        eq(size, 1, "size");
        (uint256 id, address whitelist, uint48 rented, bool inSubscription,,) = sharing.protectedDataDetails(dataset);
        eq(id, collection, "collection");
        eq(whitelist, address(list), "whitelist");
        eq(rented, 0, "not rented");
        yes(!inSubscription, "not in subscription");
        DatasetOrder memory d;
        d.dataset = dataset;
        d.volume = type(uint256).max;
        d.tag = bytes32(uint256(9));
        d.apprestrict = address(list);
        d.requesterrestrict = address(sharing);
        eq(hub.viewPresigned(hashDataset(d)), address(sharing), "order presigned");
    }

    function test_only_operators_manage() public {
        bytes memory no = error1("NotCollectionOperator(uint256)", collection);
        ISharing.Params memory p = terms;
        fails(other, abi.encodeCall(ISharing.setSubscriptionParams, (collection, p)), no);
        fails(other, abi.encodeCall(ISharing.setProtectedDataToSubscription, (dataset)), no);
        fails(other, abi.encodeCall(ISharing.removeProtectedDataFromSubscription, (dataset)), no);
        fails(other, abi.encodeCall(ISharing.setProtectedDataToRenting, (dataset, p)), no);
        fails(other, abi.encodeCall(ISharing.removeProtectedDataFromRenting, (dataset)), no);
        fails(other, abi.encodeCall(ISharing.setProtectedDataForSale, (dataset, 1)), no);
        fails(other, abi.encodeCall(ISharing.removeProtectedDataForSale, (dataset)), no);
        fails(other, abi.encodeCall(ISharing.removeProtectedDataFromCollection, (dataset)), no);
        fails(other, abi.encodeCall(ISharing.addProtectedDataToCollection, (collection, dataset, address(list))), no);
        fails(
            other,
            abi.encodeCall(ISharing.removeProtectedDataFromCollection, (address(0xdead))),
            error1("NotCollectionOperator(uint256)", 0)
        );
        asOwner();
        sharing.approve(other, collection);
        vm.prank(other);
        sharing.setSubscriptionParams(collection, p);
    }

    function test_adding_needs_the_data_and_a_whitelist() public {
        uint256 own = sharing.createCollection(other);
        address d2 = datasets.createDataset(dataOwner, "2", "", bytes32(0));
        fails(
            other,
            abi.encodeCall(ISharing.addProtectedDataToCollection, (own, d2, address(list))),
            abi.encodeWithSignature("NotAnOwnerOrApprovedOperator()")
        );
        /* not even data that this contract holds for somebody else */
        fails(
            other,
            abi.encodeCall(ISharing.addProtectedDataToCollection, (own, dataset, address(list))),
            abi.encodeWithSignature("NotAnOwnerOrApprovedOperator()")
        );
        fails(
            dataOwner,
            abi.encodeCall(ISharing.addProtectedDataToCollection, (collection, d2, address(0xdead))),
            error1("InvalidAppWhitelist(address)", 0xdead)
        );
        (bool no,) = refused(
            dataOwner,
            address(sharing),
            abi.encodeCall(ISharing.addProtectedDataToCollection, (collection, d2, address(list)))
        );
        yes(no, "not approved to take it");
        asOwner();
        datasets.setApprovalForAll(address(sharing), true);
        asOwner();
        sharing.addProtectedDataToCollection(collection, d2, address(list));
        asOwner();
        sharing.removeProtectedDataFromCollection(d2);
        eq(datasets.ownerOf(uint160(d2)), dataOwner, "back");
    }

    function test_stray_data_is_refused() public {
        address d2 = datasets.createDataset(dataOwner, "2", "", bytes32(0));
        asOwner();
        vm.expectRevert(abi.encodeWithSignature("ERC721InvalidReceiver(address)", address(sharing)));
        datasets.safeTransferFrom(dataOwner, address(sharing), uint160(d2));
        asOwner();
        vm.expectRevert(abi.encodeWithSignature("ERC721InvalidReceiver(address)", address(sharing)));
        lists.safeTransferFrom(dataOwner, address(sharing), uint160(address(list)));
        asOwner();
        vm.expectRevert(abi.encodeWithSignature("ERC721InvalidReceiver(address)", address(sharing)));
        sharing.safeTransferFrom(dataOwner, address(sharing), collection);
    }

    function test_subscription() public {
        ISharing.Params memory p = terms;
        ISharing.Params memory zero;
        /* no terms yet: no subscription for nothing */
        fails(
            reader,
            abi.encodeCall(ISharing.subscribeToCollection, (collection, zero)),
            abi.encodeWithSignature("InvalidSubscriptionParams(uint256,(uint72,uint40))", collection, zero)
        );
        asOwner();
        sharing.setSubscriptionParams(collection, p);
        asOwner();
        sharing.setProtectedDataToSubscription(dataset);
        p.price = 99;
        fails(
            reader,
            abi.encodeCall(ISharing.subscribeToCollection, (collection, p)),
            abi.encodeWithSignature("InvalidSubscriptionParams(uint256,(uint72,uint40))", collection, p)
        );
        p.price = 100;
        (bool no,) = refused(reader, address(sharing), abi.encodeCall(ISharing.subscribeToCollection, (collection, p)));
        yes(no, "no allowance");
        vm.prank(reader);
        hub.approve(address(sharing), 100);
        vm.prank(reader);
        uint48 end = sharing.subscribeToCollection(collection, p);
        eq(end, block.timestamp + 1000, "end");
        eq(sharing.getCollectionSubscriber(collection, reader), end, "subscriber");
        eq(hub.balanceOf(dataOwner), 100, "paid");
        eq(hub.balanceOf(reader), 900, "paid");

        bytes memory running = error1("OnGoingCollectionSubscriptions(uint256)", collection);
        fails(dataOwner, abi.encodeCall(ISharing.removeProtectedDataFromSubscription, (dataset)), running);
        fails(dataOwner, abi.encodeCall(ISharing.removeProtectedDataFromCollection, (dataset)), running);
        fails(dataOwner, abi.encodeCall(ISharing.burn, (collection)), error1("CollectionNotEmpty(uint256)", collection));
        WorkerpoolOrder memory w = poolOrder(9);
        vm.prank(reader);
        bytes32 deal = sharing.consumeProtectedData(dataset, w, app);
        Deal memory d = hub.viewDeal(deal);
        eq(d.requester, address(sharing), "requester");
        eq(d.beneficiary, reader, "beneficiary");
        eq(d.dataset.pointer, dataset, "dataset");
        eq(d.tag, bytes32(uint256(9)), "tag");
        eq(bytes(d.params), '{"iexec_result_encryption":true,"iexec_result_storage_provider":"ipfs"}', "params");
        /* again, with the same orders of app and data */
        vm.prank(reader);
        sharing.consumeProtectedData(dataset, w, app);
        bytes memory none = abi.encodeWithSignature("NoValidRentalOrSubscription(uint256,address)", collection, dataset);
        fails(other, abi.encodeCall(ISharing.consumeProtectedData, (dataset, w, app)), none);
        vm.warp(end);
        vm.prank(reader);
        sharing.consumeProtectedData(dataset, w, app);
        vm.warp(uint256(end) + 1);
        fails(reader, abi.encodeCall(ISharing.consumeProtectedData, (dataset, w, app)), none);
        asOwner();
        sharing.removeProtectedDataFromSubscription(dataset);
        asOwner();
        sharing.removeProtectedDataFromCollection(dataset);
        eq(datasets.ownerOf(uint160(dataset)), dataOwner, "back");
        fails(
            other,
            abi.encodeCall(ISharing.burn, (collection)),
            abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", other, collection)
        );
        asOwner();
        sharing.burn(collection);
        vm.expectRevert();
        sharing.ownerOf(collection);
    }

    function test_consuming_follows_the_rules() public {
        ISharing.Params memory p = ISharing.Params(0, 500);
        asOwner();
        sharing.setProtectedDataToRenting(dataset, p);
        vm.prank(reader);
        sharing.rentProtectedData(dataset, p);
        WorkerpoolOrder memory w = poolOrder(9);
        w.workerpoolprice = 1;
        (bool no, bytes memory answer) =
            refused(reader, address(sharing), abi.encodeCall(ISharing.consumeProtectedData, (dataset, w, app)));
        yes(no, "not free");
        eq(bytes32(bytes4(answer)), bytes32(bytes4(0x85461e9b)), "WorkerpoolOrderNotFree");
        w = poolOrder(9);
        address app2 = apps.createApp(address(sharing), "2", "", "", bytes32(0), "");
        fails(
            reader,
            abi.encodeCall(ISharing.consumeProtectedData, (dataset, w, app2)),
            error1("AppNotWhitelistedForProtectedData(address)", uint160(app2))
        );
        /* a pool without enclaves cannot be used */
        w = poolOrder(0);
        fails(
            reader, abi.encodeCall(ISharing.consumeProtectedData, (dataset, w, app)), says("iExecV5-matchOrders-0x06")
        );
        /* a pool of the old framework can */
        w = poolOrder(3);
        vm.recordLogs();
        vm.prank(reader);
        bytes32 deal = sharing.consumeProtectedData(dataset, w, app);
        eq(hub.viewDeal(deal).tag, bytes32(uint256(3)), "tag");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        eq(last.topics[0], 0x09bb563d4351a41cfcb2e1a9e3caabd85077d013afa5ef5b60cd460c56f7ff12, "event");
        eq(last.data, abi.encode(deal, dataset, uint8(1)), "by renting");
        sharing.updateEnv("dropbox");
        w = poolOrder(9);
        vm.prank(reader);
        deal = sharing.consumeProtectedData(dataset, w, app);
        eq(
            bytes(hub.viewDeal(deal).params),
            '{"iexec_result_encryption":true,"iexec_result_storage_provider":"dropbox"}',
            "params"
        );
        (no,) = refused(other, address(sharing), abi.encodeCall(ISharing.updateEnv, ("x")));
        yes(no, "the administrator's");
    }

    function test_renting() public {
        ISharing.Params memory p = terms;
        fails(
            reader,
            abi.encodeCall(ISharing.rentProtectedData, (dataset, p)),
            error1("ProtectedDataNotAvailableForRenting(address)", uint160(dataset))
        );
        fails(
            dataOwner,
            abi.encodeCall(ISharing.setProtectedDataToRenting, (dataset, ISharing.Params(1, 0))),
            error1("DurationInvalid(uint48)", 0)
        );
        asOwner();
        sharing.setProtectedDataToRenting(dataset, p);
        fails(
            reader,
            abi.encodeCall(ISharing.rentProtectedData, (dataset, ISharing.Params(100, 999))),
            abi.encodeWithSignature("InvalidRentingParams(address,(uint72,uint40))", dataset, ISharing.Params(100, 999))
        );
        /* paid in the same transaction, by the hub's approveAndCall */
        vm.prank(reader);
        hub.approveAndCall(address(sharing), 100, abi.encodeCall(ISharing.rentProtectedData, (dataset, p)));
        eq(sharing.getProtectedDataRenter(dataset, reader), block.timestamp + 1000, "end");
        eq(hub.balanceOf(dataOwner), 100, "paid");
        eq(hub.allowance(reader, address(sharing)), 0, "nothing left allowed");
        bytes memory rented = error1("ProtectedDataCurrentlyBeingRented(address)", uint160(dataset));
        fails(dataOwner, abi.encodeCall(ISharing.removeProtectedDataFromCollection, (dataset)), rented);
        fails(dataOwner, abi.encodeCall(ISharing.setProtectedDataForSale, (dataset, 5)), rented);
        asOwner();
        sharing.removeProtectedDataFromRenting(dataset);
        WorkerpoolOrder memory w = poolOrder(9);
        vm.prank(reader);
        sharing.consumeProtectedData(dataset, w, app);
        vm.warp(block.timestamp + 1001);
        asOwner();
        sharing.removeProtectedDataFromCollection(dataset);
    }

    function test_sale() public {
        ISharing.Params memory p = terms;
        asOwner();
        sharing.setProtectedDataToSubscription(dataset);
        fails(
            dataOwner,
            abi.encodeCall(ISharing.setProtectedDataForSale, (dataset, 5)),
            abi.encodeWithSignature("ProtectedDataAvailableInSubscription(uint256,address)", collection, dataset)
        );
        asOwner();
        sharing.removeProtectedDataFromSubscription(dataset);
        asOwner();
        sharing.setProtectedDataToRenting(dataset, p);
        fails(
            dataOwner,
            abi.encodeCall(ISharing.setProtectedDataForSale, (dataset, 5)),
            abi.encodeWithSignature("ProtectedDataAvailableForRenting(uint256,address)", collection, dataset)
        );
        asOwner();
        sharing.removeProtectedDataFromRenting(dataset);
        fails(
            reader,
            abi.encodeCall(ISharing.buyProtectedData, (dataset, reader, 5)),
            error1("ProtectedDataNotForSale(address)", uint160(dataset))
        );
        asOwner();
        sharing.setProtectedDataForSale(dataset, 5);
        bytes memory sale = error1("ProtectedDataForSale(address)", uint160(dataset));
        fails(dataOwner, abi.encodeCall(ISharing.setProtectedDataToSubscription, (dataset)), sale);
        fails(dataOwner, abi.encodeCall(ISharing.setProtectedDataToRenting, (dataset, p)), sale);
        fails(
            reader,
            abi.encodeCall(ISharing.buyProtectedData, (dataset, reader, 4)),
            abi.encodeWithSignature("InvalidPriceForPurchase(address,uint72)", dataset, 4)
        );
        asOwner();
        sharing.removeProtectedDataForSale(dataset);
        asOwner();
        sharing.setProtectedDataForSale(dataset, 6);
        vm.prank(reader);
        hub.approveAndCall(address(sharing), 6, abi.encodeCall(ISharing.buyProtectedData, (dataset, other, 6)));
        eq(datasets.ownerOf(uint160(dataset)), other, "sold");
        eq(hub.balanceOf(dataOwner), 6, "paid");
        (uint256 id,,,,, ISharing.Selling memory s) = sharing.protectedDataDetails(dataset);
        eq(id, 0, "details are gone");
        yes(!s.isForSale, "details are gone");
        /* an emptied collection can be burnt, unlike the reference's */
        asOwner();
        sharing.burn(collection);
    }

    function test_calls_by_way_of_the_hub() public {
        fails(
            reader,
            abi.encodeCall(ISharing.receiveApproval, (reader, 1, address(hub), hex"12345678")),
            error1("OnlyPocoCallerAuthorized(address)", uint160(reader))
        );
        vm.prank(reader);
        vm.expectRevert(abi.encodeWithSignature("EmptyCallData()"));
        hub.approveAndCall(address(sharing), 1, "");
        vm.prank(reader);
        vm.expectRevert(says("approval-refused"));
        hub.approveAndCall(address(sharing), 1, abi.encodeCall(ISharing.burn, (collection)));
        ISharing.Params memory p = terms;
        asOwner();
        sharing.setSubscriptionParams(collection, p);
        vm.prank(reader);
        vm.expectRevert();
        hub.approveAndCall(address(sharing), 99, abi.encodeCall(ISharing.subscribeToCollection, (collection, p)));
        vm.prank(reader);
        hub.approveAndCall(address(sharing), 100, abi.encodeCall(ISharing.subscribeToCollection, (collection, p)));
        eq(sharing.getCollectionSubscriber(collection, reader), block.timestamp + 1000, "subscribed");
    }

    function test_several_calls_at_once() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(ISharing.setSubscriptionParams, (collection, terms));
        calls[1] = abi.encodeCall(ISharing.setProtectedDataToSubscription, (dataset));
        asOwner();
        sharing.multicall(calls);
        (,,, bool inSubscription,,) = sharing.protectedDataDetails(dataset);
        yes(inSubscription, "both done");
        yes(sharing.supportsInterface(0x80ac58cd), "ERC-721");
        yes(sharing.supportsInterface(0x7965db0b), "access control");
        eq(sharing.ADD_ONLY_APP_WHITELIST_REGISTRY(), address(lists), "registry");
        eq(sharing.earning(reader), 0, "unused");
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        sharing.initialize(other);
    }

    function test_app_lists_grow_only_and_belong_to_their_token() public {
        vm.prank(other);
        vm.expectRevert(abi.encodeWithSignature("NotAddOnlyAppWhitelistOperator()"));
        list.addApp(other);
        yes(list.isRegistered(app), "app");
        yes(list.keyHasPurpose(bytes32(uint256(uint160(app))), 4), "member");
        yes(!list.keyHasPurpose(bytes32(uint256(uint160(app))), 3), "of that purpose only");
        yes(!list.keyHasPurpose(bytes32(uint256(uint160(app)) | (1 << 200)), 4), "clean keys only");
        eq(list.owner(), dataOwner, "owner");
        vm.prank(other);
        vm.expectRevert(abi.encodeWithSignature("NotAddOnlyAppWhitelistOperator()"));
        list.transferOwnership(other);
        asOwner();
        list.transferOwnership(other);
        eq(lists.ownerOf(uint160(address(list))), other, "handed over");
        vm.prank(other);
        list.addApp(reader);
        yes(!lists.isAuthorized(dataOwner, uint160(address(list))), "no more");
        lists.initialize();
        vm.expectRevert(abi.encodeWithSignature("InvalidInitialization()"));
        lists.initialize();
        /* clients find the selector in the code */
        bytes memory code = address(list).code;
        eq(code.length, 49, "small");
        bytes memory tail = new bytes(4);
        for (uint256 i = 0; i < 4; ++i) {
            tail[i] = code[45 + i];
        }
        eq(tail, hex"d202158d", "marker");
    }

    function test_whitelists_let_members_in_and_out() public {
        address[] memory two = new address[](2);
        two[0] = requester;
        two[1] = other;
        IMembers m = IMembers(vm.deployCode("Whitelist.sol:Whitelist", abi.encode(dataOwner, two)));
        yes(m.keyHasPurpose(bytes32(uint256(uint160(requester))), 4), "member");
        asOwner();
        sharing.removeProtectedDataFromCollection(dataset);
        vm.prank(address(sharing));
        apps.transferFrom(address(sharing), appOwner, uint160(app));
        Orders memory o = orders(5);
        o.d.requesterrestrict = address(m);
        match_(o);
        vm.prank(other);
        vm.expectRevert(abi.encodeWithSignature("NotOwner(address)", other));
        m.set(two, false);
        asOwner();
        m.set(two, false);
        o.r.salt = keccak256("again");
        signAll(o);
        vm.expectRevert(says("iExecV5-matchOrders-0x18"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        asOwner();
        m.transferOwnership(other);
        eq(m.owner(), other, "handed over");
    }
}
