// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "./Test.sol";
import {IHub, IRlc, IRegistryAll, IEntry} from "./Interfaces.sol";
import "../src/lib/Types.sol";

/* A deployment with parties, and orders of theirs. Contracts come from their artifacts: no test compiles them. */
abstract contract Base is Test {
    uint256 internal constant STORAGE = 0x5862653c6982c162832160cf30593645e8487b257e44d77cdd6b51eee2651b00;
    address internal constant KITTY = 0x99c2268479b93fDe36232351229815DF80837e23;

    IHub internal hub;
    IRlc internal rlc;
    IRegistryAll internal apps;
    IRegistryAll internal datasets;
    IRegistryAll internal pools;

    /* keys of the parties; their addresses */
    uint256 internal constant REQUESTER = 0xa001;
    uint256 internal constant APP_OWNER = 0xa002;
    uint256 internal constant DATA_OWNER = 0xa003;
    uint256 internal constant SCHEDULER = 0xa004;
    uint256 internal constant ENCLAVE = 0xa005;
    uint256 internal constant SPONSOR = 0xa006;
    uint256 internal constant WORKER = 0xb000; // and those after it
    address internal requester = vm.addr(REQUESTER);
    address internal appOwner = vm.addr(APP_OWNER);
    address internal dataOwner = vm.addr(DATA_OWNER);
    address internal scheduler = vm.addr(SCHEDULER);
    address internal enclave = vm.addr(ENCLAVE);
    address internal sponsor = vm.addr(SPONSOR);

    address internal app;
    address internal dataset;
    address internal pool;
    uint256 private salts;

    struct Orders {
        AppOrder a;
        DatasetOrder d;
        WorkerpoolOrder w;
        RequestOrder r;
    }

    bytes32 internal constant APP_TYPE = keccak256(
        "AppOrder(address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt)"
    );
    bytes32 internal constant DATASET_TYPE = keccak256(
        "DatasetOrder(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt)"
    );
    bytes32 internal constant WORKERPOOL_TYPE = keccak256(
        "WorkerpoolOrder(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt)"
    );
    bytes32 internal constant REQUEST_TYPE = keccak256(
        "RequestOrder(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt)"
    );

    function selectors(string memory facet) internal pure returns (bytes4[] memory s) {
        bytes32 name = keccak256(bytes(facet));
        bytes memory all;
        if (name == keccak256("DiamondCutFacet")) all = hex"1f931c1c";
        if (name == keccak256("DiamondLoupeFacet")) all = hex"7a0ed627adfca15e52ef6b2ccdffacc601ffc9a7";
        if (name == keccak256("OwnershipFacet")) all = hex"8da5cb5bf2fde38b";
        if (name == keccak256("Poco1Facet")) all = hex"156194d42f39153301751998c87b582abf36994e80f03425";
        if (name == keccak256("Poco2Facet")) {
            all = hex"5b36c66b346234845facd761fc334e8cf6c68e108fc375e5bd66528ab504681dfa055d7ef722cb32";
        }
        if (name == keccak256("EscrowTokenFacet")) {
            all =
                hex"b6b55f2536efd16f3354f8a52e1a7d4dc86283c8ce7460248f4ffcb1a9059cbb095ea7b3cae9ca5123b872dd39509351a457c2d700000000ffffffff";
        }
        if (name == keccak256("OrderManagementFacet")) all = hex"b2b07e664b7471067e34a0778dd971d5";
        if (name == keccak256("RelayFacet")) all = hex"c52e9de14c4692de947f51784693d172";
        if (name == keccak256("ConfigurationFacet")) {
            all = hex"b5521817c2fb26a689ccfe89a9b20ceeaefb52b401d09a3c0e7c4033298503d9";
        }
        if (name == keccak256("LegacyAccessorsFacet")) {
            all = hex"5b3ae3e4f9353b8dd5922f5011e35ababd19a4f3ce5f7895248ad6a0";
        }
        if (name == keccak256("AccessorsFacet")) {
            all =
                hex"dd62ed3e45b637a970a08231e63ec07d66517ca674ed5244c140996fb1b11d2c313ce5679910fd72db8aaa261bf6e00d25eacba8a47e7f8077a99692dcb0324106fdde03d09cc57e2b8857c195d89b415975b8fcfc0c546a18160ddd6b55f4a5e1523fb44f5f44ec4b2bec8ce741363b1e143ef7b74861b2d286eb16db230b52adccf0d5bd8ab0586112f6fd90a0f546";
        }
        bytes memory b = all;
        s = new bytes4[](b.length / 4);
        for (uint256 i = 0; i < s.length; ++i) {
            s[i] =
                bytes4(b[4 * i]) | bytes4(b[4 * i + 1]) >> 8 | bytes4(b[4 * i + 2]) >> 16 | bytes4(b[4 * i + 3]) >> 24;
        }
    }

    function artifact(string memory file, string memory name) internal returns (address) {
        return vm.deployCode(string.concat(file, ".sol:", name));
    }

    function deployHub() internal returns (address) {
        string[11] memory names = [
            "DiamondCutFacet",
            "DiamondLoupeFacet",
            "OwnershipFacet",
            "Poco1Facet",
            "Poco2Facet",
            "EscrowTokenFacet",
            "OrderManagementFacet",
            "RelayFacet",
            "ConfigurationFacet",
            "AccessorsFacet",
            "LegacyAccessorsFacet"
        ];
        IHub.Cut[] memory cuts = new IHub.Cut[](names.length);
        for (uint256 i = 0; i < names.length; ++i) {
            cuts[i] = IHub.Cut(artifact(i < 3 ? "DiamondFacets" : names[i], names[i]), 0, selectors(names[i]));
        }
        address init = artifact("DiamondFacets", "DiamondInit");
        DiamondArgs memory args = DiamondArgs(address(this), init, abi.encodeWithSignature("init()"));
        return vm.deployCode("Diamond.sol:Diamond", abi.encode(cuts, args));
    }

    struct DiamondArgs {
        address owner;
        address init;
        bytes data;
    }

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        rlc = IRlc(artifact("RLC", "RLC"));
        hub = IHub(deployHub());
        apps = IRegistryAll(artifact("Registries", "AppRegistry"));
        datasets = IRegistryAll(artifact("Registries", "DatasetRegistry"));
        pools = IRegistryAll(artifact("Registries", "WorkerpoolRegistry"));
        apps.initialize(address(0));
        datasets.initialize(address(0));
        pools.initialize(address(0));
        hub.configure(
            address(rlc), "Staked RLC", "SRLC", 9, address(apps), address(datasets), address(pools), address(0)
        );
        hub.createCategory("XS", "\"\"", 300);
        hub.createCategory("S", "\"\"", 1200);
        app = apps.createApp(appOwner, "app", "DOCKER", "multiaddr", keccak256("app"), "");
        dataset = datasets.createDataset(dataOwner, "data", "multiaddr", keccak256("data"));
        pool = pools.createWorkerpool(scheduler, "pool");
    }

    function stake(address who, uint256 amount) internal {
        rlc.approve(address(hub), amount);
        hub.depositFor(amount, who);
    }

    /* Four orders that match, for free unless prices are set afterwards. */
    function orders(uint256 volume) internal returns (Orders memory o) {
        bytes32 salt = bytes32(++salts);
        o.a = AppOrder(app, 0, volume, 0, address(0), address(0), address(0), salt, "");
        o.d = DatasetOrder(dataset, 0, volume, 0, address(0), address(0), address(0), salt, "");
        o.w = WorkerpoolOrder(pool, 0, volume, 0, 0, 0, address(0), address(0), address(0), salt, "");
        o.r.app = app;
        o.r.dataset = dataset;
        o.r.workerpool = pool;
        o.r.requester = requester;
        o.r.beneficiary = requester;
        o.r.volume = volume;
        o.r.salt = salt;
    }

    function price(Orders memory o, uint256 a, uint256 d, uint256 w) internal pure {
        o.a.appprice = o.r.appmaxprice = a;
        o.d.datasetprice = o.r.datasetmaxprice = d;
        o.w.workerpoolprice = o.r.workerpoolmaxprice = w;
    }

    function noDataset(Orders memory o) internal pure {
        delete o.d;
        o.r.dataset = address(0);
        o.r.datasetmaxprice = 0;
    }

    function typed(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", hub.eip712domain_separator(), structHash));
    }

    function hashApp(AppOrder memory o) internal view returns (bytes32) {
        return typed(
            keccak256(
                abi.encode(
                    APP_TYPE,
                    o.app,
                    o.appprice,
                    o.volume,
                    o.tag,
                    o.datasetrestrict,
                    o.workerpoolrestrict,
                    o.requesterrestrict,
                    o.salt
                )
            )
        );
    }

    function hashDataset(DatasetOrder memory o) internal view returns (bytes32) {
        return typed(
            keccak256(
                abi.encode(
                    DATASET_TYPE,
                    o.dataset,
                    o.datasetprice,
                    o.volume,
                    o.tag,
                    o.apprestrict,
                    o.workerpoolrestrict,
                    o.requesterrestrict,
                    o.salt
                )
            )
        );
    }

    function hashPool(WorkerpoolOrder memory o) internal view returns (bytes32) {
        return typed(
            keccak256(
                bytes.concat(
                    abi.encode(WORKERPOOL_TYPE, o.workerpool, o.workerpoolprice, o.volume, o.tag, o.category, o.trust),
                    abi.encode(o.apprestrict, o.datasetrestrict, o.requesterrestrict, o.salt)
                )
            )
        );
    }

    function hashRequest(RequestOrder memory o) internal view returns (bytes32) {
        return typed(
            keccak256(
                bytes.concat(
                    abi.encode(REQUEST_TYPE, o.app, o.appmaxprice, o.dataset, o.datasetmaxprice, o.workerpool),
                    abi.encode(o.workerpoolmaxprice, o.requester, o.volume, o.tag, o.category, o.trust),
                    abi.encode(o.beneficiary, o.callback, keccak256(bytes(o.params)), o.salt)
                )
            )
        );
    }

    function signature(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }

    function personal(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        return signature(key, keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", hash)));
    }

    function signAll(Orders memory o) internal view {
        o.a.sign = signature(APP_OWNER, hashApp(o.a));
        if (o.d.dataset != address(0)) o.d.sign = signature(DATA_OWNER, hashDataset(o.d));
        o.w.sign = signature(SCHEDULER, hashPool(o.w));
        if (o.r.requester == requester) o.r.sign = signature(REQUESTER, hashRequest(o.r));
    }

    function match_(Orders memory o) internal returns (bytes32) {
        signAll(o);
        return hub.matchOrders(o.a, o.d, o.w, o.r);
    }

    function taskOf(bytes32 deal, uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(deal, index));
    }

    function resultHash(bytes32 task, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encode(task, digest));
    }

    function resultSeal(address worker, bytes32 task, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(worker, task, digest));
    }

    function authorization(address worker, bytes32 task, address challenge) internal pure returns (bytes memory) {
        return personal(SCHEDULER, keccak256(abi.encodePacked(worker, task, challenge)));
    }

    function contribute(address worker, bytes32 task, bytes32 digest) internal {
        contribute(worker, task, digest, address(0));
    }

    function contribute(address worker, bytes32 task, bytes32 digest, address challenge) internal {
        bytes32 hash = resultHash(task, digest);
        bytes32 seal = resultSeal(worker, task, digest);
        bytes memory sign = challenge == address(0) ? bytes("") : personal(ENCLAVE, keccak256(abi.encode(hash, seal)));
        bytes memory auth = authorization(worker, task, challenge);
        vm.prank(worker);
        hub.contribute(task, hash, seal, challenge, sign, auth);
    }

    function atOnce(address worker, bytes32 task, bytes32 digest, bytes memory results, bytes memory callback_)
        internal
    {
        bytes memory auth = authorization(worker, task, address(0));
        vm.prank(worker);
        hub.contributeAndFinalize(task, digest, results, callback_, address(0), "", auth);
    }

    function setScore(address worker, uint256 score) internal {
        vm.store(address(hub), keccak256(abi.encode(worker, STORAGE + 18)), bytes32(score));
    }

    /* The first four bytes of what a call reverts with; 0 when it does not, or says nothing. */
    function refused(address from, address to, bytes memory data) internal returns (bool, bytes memory) {
        vm.prank(from);
        (bool ok, bytes memory answer) = to.call(data);
        return (!ok, answer);
    }

    function says(string memory reason) internal pure returns (bytes memory) {
        return abi.encodeWithSignature("Error(string)", reason);
    }
}
