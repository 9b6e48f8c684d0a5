// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {IHub} from "./Interfaces.sol";
import "../src/lib/Types.sol";

interface IWallet {
    function approve(bytes32) external;
    function call(address, bytes calldata) external returns (bytes memory);
}

interface IGroup {
    function set(bytes32, uint256, bool) external;
}

contract SignTest is Base {
    function testFuzz_only_the_key_signs(uint256 key, uint256 other, bytes32 hash) public view {
        key = bound(key, 1, 2 ** 255);
        other = bound(other, 1, 2 ** 255);
        address who = vm.addr(key);
        bytes memory s = signature(key, hash);
        yes(hub.verifySignature(who, hash, s), "65 bytes");
        (uint8 v, bytes32 r, bytes32 ss) = vm.sign(key, hash);
        bytes memory compact = abi.encodePacked(r, v == 28 ? ss | bytes32(uint256(1 << 255)) : ss);
        yes(hub.verifySignature(who, hash, compact), "64 bytes");
        if (other != key) yes(!hub.verifySignature(vm.addr(other), hash, s), "another's");
        yes(!hub.verifySignature(who, keccak256(abi.encode(hash)), s), "another hash");
        bytes32 high = bytes32(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(ss));
        yes(!hub.verifySignature(who, hash, abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27))), "high s");
        yes(!hub.verifySignature(who, hash, abi.encodePacked(r, ss, v - 27)), "v 0 or 1");
        yes(!hub.verifySignature(address(0), hash, s), "nobody");
    }

    function testFuzz_random_bytes_sign_nothing(address who, bytes32 hash, bytes memory s) public {
        vm.assume(who != address(0) && who.code.length == 0 && uint160(who) > 1000);
        if (s.length != 65 && s.length != 64) vm.expectRevert(says("invalid-signature-format"));
        yes(!hub.verifySignature(who, hash, s), "random");
    }

    function test_contract_owners_sign_by_erc1271() public {
        address wallet = artifact("Mocks", "OwnerWalletMock");
        address owned = apps.createApp(wallet, "w", "DOCKER", "m", bytes32(0), "");
        Orders memory o = orders(1);
        o.a.app = o.r.app = owned;
        signAll(o);
        o.a.sign = "any bytes the wallet likes";
        vm.expectRevert(says("iExecV5-matchOrders-0x21"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        IWallet(wallet).approve(hashApp(o.a));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        /* and manage their orders by calling */
        o.a.salt = keccak256("2");
        AppOrderOperation memory op = AppOrderOperation(o.a, OrderOperation.SIGN, "");
        IWallet(wallet).call(address(hub), abi.encodeCall(IHub.manageAppOrder, (op)));
        eq(hub.viewPresigned(hashApp(o.a)), wallet, "presigned");
        yes(hub.verifyPresignature(wallet, hashApp(o.a)), "presigned");
    }

    function test_account_with_delegated_code_signs_with_its_key() public {
        address group = artifact("Mocks", "GroupMock");
        vm.etch(requester, abi.encodePacked(hex"ef0100", group));
        match_(orders(1));
        /* somebody else's signature is put to its code, which does not know it */
        Orders memory o = orders(1);
        signAll(o);
        o.r.sign = signature(SPONSOR, hashRequest(o.r));
        vm.expectRevert(says("iExecV5-matchOrders-0x50"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
    }

    function test_groups_of_odd_behaviour() public {
        Orders memory o = orders(1);
        address group = artifact("Mocks", "GroupMock");
        o.a.requesterrestrict = group;
        signAll(o);
        vm.expectRevert(says("iExecV5-matchOrders-0x15"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        IGroup(group).set(bytes32(uint256(uint160(requester))), 3, true);
        vm.expectRevert(says("iExecV5-matchOrders-0x15"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
        IGroup(group).set(bytes32(uint256(uint160(requester))), 4, true);
        hub.matchOrders(o.a, o.d, o.w, o.r);
        string[2] memory odd = ["BadGroupMock", "ShortGroupMock"];
        for (uint256 i = 0; i < 2; ++i) {
            o = orders(1);
            o.a.requesterrestrict = artifact("Mocks", odd[i]);
            signAll(o);
            (bool no, bytes memory answer) =
                refused(requester, address(hub), abi.encodeCall(IHub.matchOrders, (o.a, o.d, o.w, o.r)));
            yes(no && answer.length == 0, "empty revert");
        }
    }

    function test_presigned_order_of_a_sold_resource_is_void() public {
        Orders memory o = orders(5);
        signAll(o);
        vm.prank(appOwner);
        hub.manageAppOrder(AppOrderOperation(o.a, OrderOperation.SIGN, ""));
        o.a.sign = "";
        hub.matchOrders(o.a, o.d, o.w, o.r);
        vm.prank(appOwner);
        apps.transferFrom(appOwner, sponsor, uint160(app));
        vm.expectRevert(says("invalid-signature-format"));
        hub.matchOrders(o.a, o.d, o.w, o.r);
    }

    function test_presign_keeps_what_is_consumed() public {
        Orders memory o = orders(5);
        o.r.volume = 2;
        match_(o);
        vm.prank(appOwner);
        hub.manageAppOrder(AppOrderOperation(o.a, OrderOperation.SIGN, ""));
        eq(hub.viewConsumed(hashApp(o.a)), 2, "consumed");
        o.r.salt = keccak256("other");
        o.r.sign = signature(REQUESTER, hashRequest(o.r));
        o.a.sign = "";
        hub.matchOrders(o.a, o.d, o.w, o.r);
        eq(hub.viewConsumed(hashApp(o.a)), 4, "consumed");
        eq(hub.viewPresigned(hashApp(o.a)), appOwner, "presigned");
    }
}
