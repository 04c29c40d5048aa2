import * as A from "@automerge/automerge"
// Writes OUT-types.bin and OUT-random.bin; see README.md.
import fs from "fs"
// Writes OUT-types.bin and OUT-random.bin; see README.md.
const out = process.argv[2]
let d1 = A.init({actor:"aa".repeat(16)})
d1 = A.change(d1, {time:1700000000, message:"all types"}, d => {
  d.str="hello"; d.imm=new A.ImmutableString("im"); d.int=-5; d.uint=new A.Uint(7); d.f=1.5; d.f64= new A.Float64(2)
  d.t=true; d.fa=false; d.n=null; d.date=new Date(1700000000000); d.bytes=new Uint8Array([1,2,3]); d.c=new A.Counter(5)
  d.map={a:1,b:{c:{d:[]}}}; d.list=[1,"x",null,[1,[2]],{k:"v"},new A.Counter(3),new Date(5),new Uint8Array(0)]; d.text="the quick brown fox"; d.e=""; d["ключ"]="значение 😀"
  d.nan=NaN; d.inf=-Infinity; d.big=2**53-1
})
let d2 = A.clone(d1,{actor:"bb".repeat(16)}), d3=A.clone(d1,{actor:"0c".repeat(16)})
d1=A.change(d1,{time:0},d=>{d.c.increment(3); d.list[5].increment(-2); A.mark(d,["text"],{start:0,end:5,expand:"both"},"bold",true); A.mark(d,["text"],{start:3,end:9,expand:"none"},"link","http://x"); })
d1=A.change(d1,{time:0},d=>{A.unmark(d,["text"],{start:1,end:3,expand:"after"},"bold"); A.splice(d,["text"],4,3,"Q😀"); d.str="again"})
d2=A.change(d2,{time:3},d=>{A.splitBlock(d,["text"],4,{type:"p",parents:[]}); d.str="conflict"; d.list.splice(1,2,"y","z",{n:[]}); delete d.imm; d.c.increment(1)})
d2=A.change(d2,d=>{A.updateText(d,["text"],"totally other text here"); d.list.deleteAt(0); })
d3=A.change(d3,d=>{d.str="third"; d.list[1]="set"; d.list.insertAt(0,"front"); d.text=""; d.map.b.c=null; A.splice(d,["text"],0,0,"abc")})
d3=A.emptyChange(d3,{message:"empty",time:4})
d1=A.merge(d1,d2); d1=A.merge(d1,d3); d2=A.merge(d2,d1); d3=A.merge(d3,d2)
d1=A.change(d1,d=>{d.str="resolved"; d.list[0]="r"; d.map={}; delete d.c})
const heads=A.getHeads(d1)
for(let i=0;i<5;i++){ d2=A.change(d2,d=>{d.map2={i}; A.splice(d,["text"],i,1,"typed "+i); d["k"+i]=i; d.list.push(i)}) }
let d4=A.changeAt(d2, A.getHeads(d3), d=>{ d.at="x"; A.splice(d,["text"],0,0,"AT"); d.list.push("at")}).newDoc
d4=A.changeAt(d4, A.getHeads(d3), d=>{ d.at="y"; A.splice(d,["text"],0,2,"at")}).newDoc
d4=A.change(d4,d=>{ d.after="x"; A.splice(d,["text"],0,1,"z")})
d4=A.merge(d4,d1)
d4=A.change(d4,d=>{ for(let i=0;i<300;i++) d.list.push({i, s:"row "+i}) ; d.long="x".repeat(5000)})
d4=A.change(d4,d=>{ try{A.updateBlock(d,["text"],A.block? 0:0,{type:"h"})}catch(e){} ; try{A.updateSpans(d,["text"],[{type:"block",value:{type:"h1"}},{type:"text",value:"span"}])}catch(e){console.log(e.message)}; d.b2=new Uint8Array(3000)})
d4=A.change(d4,d=>{ d.list.splice(0,200); for(let i=0;i<10;i++)d.list[i]={z:i}})
// from + random sessions
let e=A.from({x:[],t:"",m:{}},{actor:"dd".repeat(8)})
let ds=[e,A.clone(e,{actor:"01".repeat(4)}),A.clone(e,{actor:"ff".repeat(20)})]
let s=12345; const rnd=n=>{s=(s*1103515245+12345)&0x7fffffff; return s%n}
for(let r=0;r<400;r++){ let i=rnd(3); ds[i]=A.change(ds[i],{time:r},d=>{ for(let q=rnd(6)+1;q>0;q--) switch(rnd(11)){
 case 0:{A.splice(d,["t"],rnd(d.t.length+1),0,"ab".repeat(rnd(4)+1));break}
 case 1:{let p=rnd(d.t.length+1);A.splice(d,["t"],p,Math.min(rnd(4),d.t.length-p));break}
 case 2:{d.x.insertAt(rnd(d.x.length+1),rnd(2)?rnd(100):{a:[rnd(9)]});break}
 case 3:{if(d.x.length)d.x.deleteAt(rnd(d.x.length));break}
 case 4:{if(d.x.length)d.x[rnd(d.x.length)]="s"+rnd(9);break}
 case 5:{d.m["k"+rnd(5)]=rnd(2)?rnd(3):{n:1};break}
 case 6:{delete d.m["k"+rnd(5)];break}
 case 7:{d.m.c=new A.Counter(rnd(9));break}
 case 8:{if(d.m.c instanceof A.Counter)d.m.c.increment(rnd(9)-4);break}
 case 9:{let n=d.t.length; if(n>3){let a=rnd(n-2);A.mark(d,["t"],{start:a,end:a+1+rnd(n-a-1),expand:["none","both","before","after"][rnd(4)]},"m"+rnd(3),rnd(2)?true:null)}break}
 case 10:{if(rnd(5)==0)d.m.big="y".repeat(300);break}
 }})
 if(rnd(4)==0){let j=(i+1+rnd(2))%3;ds[i]=A.merge(ds[i],ds[j])}
}
ds[0]=A.merge(A.merge(ds[0],ds[1]),ds[2])
const dump=(name,d)=>{const bs=[];let n=0;for(const c of A.getAllChanges(d)){bs.push(Buffer.from(c));n++};const b=Buffer.concat(bs);fs.writeFileSync(out+"-"+name+".bin",b);console.log(name,n,b.length)}
dump("types",d4); dump("random",ds[0])
